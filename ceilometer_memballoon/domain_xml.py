# SPDX-License-Identifier: Apache-2.0
"""What the plugin reads from a domain's live XML."""

import dataclasses

from lxml import etree

from ceilometer_memballoon.errors import DomainError

#: Balloon models whose statistics QEMU can be told to collect.
VIRTIO_MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")


@dataclasses.dataclass(frozen=True)
class Balloon:
    """A domain's memballoon: its model, and its statistics period in seconds (0: off)."""

    model: str
    period: int

    @property
    def is_virtio(self) -> bool:
        """Whether there is a device that a guest's driver can report through."""
        return self.model in VIRTIO_MODELS


def parse_balloon(xml: str) -> Balloon:
    """The memballoon in a domain's live XML; model 'none' where there is none.

    Raises DomainError for what is not XML, or is XML made to exhaust its reader.
    """
    element = _parse(xml).find("./devices/memballoon")
    if element is None:
        return Balloon("none", 0)
    stats = element.find("./stats")
    period = 0 if stats is None else int(stats.get("period", "0"))
    return Balloon(element.get("model", "none"), period)


def display_name(xml: str) -> str | None:
    """What its user called the instance, by Nova's metadata, if it has any. Raises DomainError."""
    name = _parse(xml).findtext("./metadata/{*}instance/{*}name")
    return None if name is None else str(name)


def _parse(xml: str) -> etree._Element:
    # The XML carries text that users wrote (names, metadata): no entities, no network.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(xml.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise DomainError(f"not XML: {error}") from error
