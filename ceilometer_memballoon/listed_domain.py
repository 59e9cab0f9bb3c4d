# SPDX-License-Identifier: Apache-2.0
"""A stand-in for libvirt that answers Ceilometer's discovery from what was listed.

Ceilometer's own code is run on it. No method asks libvirt.
"""

from lxml import etree

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.record import Record

#: The prefix of the namespace of Nova's metadata; a version follows.
NOVA = "http://openstack.org/xmlns/libvirt/nova/"


class ListedDomain:
    """A domain, and a connection that lists it alone, as Ceilometer's discovery asks them."""

    def __init__(self, record: Record, identity: str) -> None:
        """identity: a domain element with the metadata and the os element."""
        self._record = record
        self._identity = identity
        metadata = etree.fromstring(identity).find("./metadata")
        self._metadata = [] if metadata is None else list(metadata)

    @property
    def is_nova(self) -> bool:
        """Whether it has Nova metadata."""
        return any(_namespace(element).startswith(NOVA) for element in self._metadata)

    def listAllDomains(self, flags: int = 0) -> "list[ListedDomain]":  # noqa: N802
        """List the domain."""
        return [self]

    def UUIDString(self) -> str:  # noqa: N802
        """The domain's uuid."""
        return self._record.uuid

    def name(self) -> str:
        """The domain's name."""
        return self._record.name

    def state(self, flags: int = 0) -> list[int]:
        """The domain's state and its reason."""
        return [self._record.state, self._record.state_reason]

    def XMLDesc(self, flags: int = 0) -> str:  # noqa: N802
        """The XML, as far as the discovery needs it."""
        return self._identity

    def metadata(self, kind: int, uri: str, flags: int = 0) -> str:
        """The element of that namespace, which its elements lose, as libvirt returns it."""
        for element in self._metadata:
            if _namespace(element) == uri:
                for part in element.iter(f"{{{uri}}}*"):
                    part.tag = etree.QName(part).localname
                etree.cleanup_namespaces(element)
                return str(etree.tostring(element, encoding="unicode", with_tail=False))
        raise libvirt.libvirtError("there is no such metadata")


def _namespace(element: etree._Element) -> str:
    return etree.QName(element).namespace or "" if isinstance(element.tag, str) else ""
