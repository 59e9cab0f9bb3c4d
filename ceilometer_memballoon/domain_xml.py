# SPDX-License-Identifier: Apache-2.0
"""The facts that the plugin reads from a domain's live XML."""

import dataclasses
import mmap

from lxml import etree

from ceilometer_memballoon.errors import DomainError

#: Balloon models with statistics that QEMU can collect.
VIRTIO_MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")
#: Namespace of Nova's metadata, without its version.
NOVA = "http://openstack.org/xmlns/libvirt/nova/"
#: Types of launch security whose private memory belongs to QEMU and counts in rss. All other types
#: (sev-snp, tdx) keep it in guest_memfd, which the kernel does not account to QEMU.
ORDINARY_LAUNCH_SECURITY = ("sev", "s390-pv")
HUGE_PAGES = "huge pages"
PRIVATE_MEMORY = "private memory"

#: The longest string that libvirt sends, in characters (REMOTE_STRING_MAX in remote_protocol.x).
LONGEST = 4 * 2**20


@dataclasses.dataclass(frozen=True)
class Balloon:
    """A domain's memballoon: its model, and its statistics period in seconds (0: off)."""

    model: str
    period: int

    @property
    def is_virtio(self) -> bool:
        """Whether there is a device through which a guest's driver can report."""
        return self.model in VIRTIO_MODELS


@dataclasses.dataclass(frozen=True)
class DomainFacts:
    """The facts in one domain's live XML.

    balloon: The domain's memballoon.
    display_name: The instance's name that the user chose; None without Nova's metadata.
    is_nova: Whether Nova created the domain.
    rss_excludes: The guest's memory that the kernel does not account to the QEMU process, in
        words. Empty if there is none.
    """

    balloon: Balloon
    display_name: str | None
    is_nova: bool
    rss_excludes: tuple[str, ...]


def parse_domain(xml: str) -> DomainFacts:
    """Return the facts in a domain's live XML.

    Raises DomainError for text that is not XML, or that is built to exhaust the parser.
    """
    domain = parse(xml)
    instance = _nova_instance(domain)
    name = None if instance is None else instance.findtext("./{*}name")
    return DomainFacts(
        _balloon(domain),
        None if name is None else str(name),
        instance is not None,
        _rss_excludes(domain),
    )


def parse_balloon(xml: str) -> Balloon:
    """Return the memballoon. Its model is 'none' if there is no device. Raises as parse_domain."""
    return parse_domain(xml).balloon


def name_in_metadata(xml: str) -> str | None:
    """Return the instance's name in Nova's part of a domain's XML. Raises as parse_domain."""
    name = parse(xml).findtext("./{*}name")
    return None if name is None else str(name)


def _balloon(domain: etree._Element) -> Balloon:
    element = domain.find("./devices/memballoon")
    if element is None:
        return Balloon("none", 0)
    stats = element.find("./stats")
    period = 0 if stats is None else int(stats.get("period", "0"))
    return Balloon(element.get("model", "none"), period)


def _nova_instance(domain: etree._Element) -> etree._Element | None:
    for element in domain.iterfind("./metadata/{*}instance"):
        if str(etree.QName(element).namespace).startswith(NOVA):
            return element
    return None


def _rss_excludes(domain: etree._Element) -> tuple[str, ...]:
    found = []
    if _has_huge_pages(domain):
        found.append(HUGE_PAGES)
    security = domain.find("./launchSecurity")
    if security is not None and security.get("type") not in ORDINARY_LAUNCH_SECURITY:
        found.append(PRIVATE_MEMORY)
    return tuple(found)


def _has_huge_pages(domain: etree._Element) -> bool:
    backing = domain.find("./memoryBacking/hugepages")
    pages = [] if backing is None else backing.findall("./page")
    if backing is not None and not pages:
        return True
    if any(_is_huge(page.get("size"), page.get("unit")) for page in pages):
        return True
    # Plugged memory has its own page size.
    plugged = domain.iterfind("./devices/memory/source/pagesize")
    return any(_is_huge(size.text, size.get("unit")) for size in plugged)


def _is_huge(size: str | None, unit: str | None) -> bool:
    """Return whether the size is not the host's ordinary page size, which libvirt also accepts."""
    return (size, unit) != (str(mmap.PAGESIZE // 1024), "KiB")


def parse(xml: str) -> etree._Element:
    """Parse XML that contains text from users. Raises DomainError."""
    # Not every libxml2 refuses text that is too long.
    if len(xml) > LONGEST:
        raise DomainError(f"not valid domain XML: {len(xml)} characters")
    # Users wrote some of the text (names, metadata). So resolve no entities and use no network.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(xml.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise DomainError(f"not valid domain XML: {error}") from error
