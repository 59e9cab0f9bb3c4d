# SPDX-License-Identifier: Apache-2.0
"""What parsing a domain's live XML gives."""

import mmap

import pytest

from ceilometer_memballoon.domain_xml import (
    HUGE_PAGES,
    PRIVATE_MEMORY,
    Balloon,
    DomainFacts,
    name_in_metadata,
    parse_domain,
)
from ceilometer_memballoon.errors import DomainError

NOVA = "http://openstack.org/xmlns/libvirt/nova/"
ORDINARY = mmap.PAGESIZE // 1024


def domain(inner="", devices=""):
    return f"<domain type='kvm'>{inner}<devices>{devices}</devices></domain>"


def metadata(namespace, name="<x:name>web</x:name>"):
    return f"<metadata><x:instance xmlns:x='{namespace}'>{name}</x:instance></metadata>"


def backing(hugepages):
    return domain(f"<memoryBacking>{hugepages}</memoryBacking>")


def plugged(size, unit="KiB", model="dimm"):
    source = f"<source><pagesize unit='{unit}'>{size}</pagesize></source>"
    return domain(devices=f"<memory model='{model}'>{source}</memory>")


def test_empty_domain_has_no_balloon_no_name_and_complete_rss():
    assert parse_domain(domain()) == DomainFacts(Balloon("none", 0), None, False, ())


def test_balloon_has_its_period():
    devices = "<memballoon model='virtio'><stats period='7'/></memballoon>"
    assert parse_domain(domain(devices=devices)).balloon == Balloon("virtio", 7)


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0"])
def test_instance_of_nova_is_known_by_its_metadata_of_any_version(version):
    facts = parse_domain(domain(metadata(NOVA + version)))
    assert (facts.is_nova, facts.display_name) == (True, "web")


def test_instance_of_another_tool_is_not_novas():
    facts = parse_domain(domain(metadata("http://example.org/instance")))
    assert (facts.is_nova, facts.display_name) == (False, None)


def test_instance_of_nova_may_have_no_name():
    facts = parse_domain(domain(metadata(NOVA + "1.1", name="")))
    assert (facts.is_nova, facts.display_name) == (True, None)


def test_novas_metadata_is_found_beside_that_of_others():
    others = "<metadata><y:instance xmlns:y='http://example.org/'/>"
    xml = domain(metadata(NOVA + "1.1").replace("<metadata>", others))
    assert parse_domain(xml).display_name == "web"


@pytest.mark.parametrize(
    "xml",
    [
        backing("<hugepages/>"),
        backing("<hugepages><page size='2048' unit='KiB'/></hugepages>"),
        backing("<hugepages><page size='1' unit='G' nodeset='0'/></hugepages>"),
        backing(
            f"<hugepages><page size='{ORDINARY}' unit='KiB' nodeset='0'/>"
            "<page size='1048576' unit='KiB' nodeset='1'/></hugepages>"
        ),
        backing("<source type='memfd'/><hugepages/><access mode='shared'/>"),
        plugged(2048),
        plugged(1, "G"),
        plugged(2048, model="virtio-mem"),
    ],
    ids=["default", "2M", "1G", "one node", "memfd", "dimm", "dimm 1G", "virtio-mem"],
)
def test_huge_pages_are_missing_from_rss(xml):
    assert parse_domain(xml).rss_excludes == (HUGE_PAGES,)


@pytest.mark.parametrize(
    "xml",
    [
        backing(f"<hugepages><page size='{ORDINARY}' unit='KiB'/></hugepages>"),
        backing("<source type='memfd'/><access mode='shared'/><locked/>"),
        plugged(ORDINARY),
    ],
    ids=["ordinary pages", "shared memory", "dimm of ordinary pages"],
)
def test_ordinary_pages_are_in_rss(xml):
    assert parse_domain(xml).rss_excludes == ()


@pytest.mark.parametrize(
    ("kind", "excludes"),
    [
        ("sev", ()),
        ("s390-pv", ()),
        ("sev-snp", (PRIVATE_MEMORY,)),
        ("tdx", (PRIVATE_MEMORY,)),
        ("a later one", (PRIVATE_MEMORY,)),
    ],
)
def test_private_memory_is_missing_from_rss_unless_it_is_qemus_own(kind, excludes):
    xml = domain(f"<launchSecurity type='{kind}'/>")
    assert parse_domain(xml).rss_excludes == excludes


def test_guest_with_private_memory_and_huge_pages_has_both_marks():
    xml = domain("<memoryBacking><hugepages/></memoryBacking><launchSecurity type='tdx'/>")
    assert parse_domain(xml).rss_excludes == (HUGE_PAGES, PRIVATE_MEMORY)


def test_name_is_found_in_novas_part_alone():
    part = f"<x:instance xmlns:x='{NOVA}1.1'><x:name>web</x:name></x:instance>"
    assert name_in_metadata(part) == "web"


def test_novas_part_may_have_no_name():
    assert name_in_metadata(f"<x:instance xmlns:x='{NOVA}1.1'/>") is None


def test_entities_are_not_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("virtio")
    xml = (
        f"<!DOCTYPE domain [<!ENTITY e SYSTEM 'file://{secret}'>]>"
        f"{domain(metadata(NOVA + '1.1', '<x:name>&e;</x:name>'))}"
    )
    assert "virtio" not in str(parse_domain(xml).display_name)


@pytest.mark.parametrize(
    "xml",
    ["", "<domain>", f"<domain><metadata>{'x' * 11_000_000}</metadata></domain>"],
    ids=["empty", "cut", "huge"],
)
def test_unreadable_xml_is_a_domain_error(xml):
    with pytest.raises(DomainError, match="not valid domain XML"):
        parse_domain(xml)
