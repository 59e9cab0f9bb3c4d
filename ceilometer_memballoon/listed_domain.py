# SPDX-License-Identifier: Apache-2.0
"""A stand-in for libvirt that answers Ceilometer's discovery from the last list of domains.

Ceilometer's own code runs on it. No method asks libvirt.
"""

from lxml import etree

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.record import Record

#: The prefix of the namespace of Nova's metadata. A version follows.
NOVA = "http://openstack.org/xmlns/libvirt/nova/"


class ListedDomain:
    """A domain, and a connection with only this domain, for Ceilometer's discovery."""

    def __init__(self, record: Record, identity: str) -> None:
        """identity: a domain element with the metadata and the os element."""
        self._record = record
        self._identity = identity
        metadata = etree.fromstring(identity).find("./metadata")
        self._metadata = [] if metadata is None else list(metadata)

    @property
    def is_nova(self) -> bool:
        """Whether the domain has Nova's metadata."""
        return any(_namespace(element).startswith(NOVA) for element in self._metadata)

    def listAllDomains(self, flags: int = 0) -> "list[ListedDomain]":  # noqa: N802
        """Return the domain."""
        return [self]

    def UUIDString(self) -> str:  # noqa: N802
        """Return the domain's UUID."""
        return self._record.uuid

    def name(self) -> str:
        """Return the domain's name."""
        return self._record.name

    def state(self, flags: int = 0) -> list[int]:
        """Return the domain's state and its reason."""
        return [self._record.state, self._record.state_reason]

    def XMLDesc(self, flags: int = 0) -> str:  # noqa: N802
        """Return the parts of the XML that the discovery needs."""
        return self._identity

    def metadata(self, kind: int, uri: str, flags: int = 0) -> str:
        """Return the metadata of that namespace without namespace, as libvirt does."""
        for element in self._metadata:
            if _namespace(element) == uri:
                for part in element.iter(f"{{{uri}}}*"):
                    part.tag = etree.QName(part).localname
                etree.cleanup_namespaces(element)
                return str(etree.tostring(element, encoding="unicode", with_tail=False))
        raise libvirt.libvirtError("there is no such metadata")


def _namespace(element: etree._Element) -> str:
    return etree.QName(element).namespace or "" if isinstance(element.tag, str) else ""
