# SPDX-License-Identifier: Apache-2.0
"""When a domain's live XML is read again, and when it is not."""

import dataclasses

import pytest

from ceilometer_memballoon.errors import DomainGoneError
from ceilometer_memballoon.record import Outcome, Record
from ceilometer_memballoon.xml_cache import REFRESH_SECONDS, REFRESH_SHARE, XmlCache

XML = """<domain><os><type arch="x86_64">hvm</type></os><metadata/><devices>
<disk><source file="/a"/><target dev="vda"/></disk><disk><target/></disk>
<interface><target dev="tap0"/></interface></devices></domain>"""
FIELDS = {
    "block.count": 1, "block.0.name": "vda", "block.0.path": "/a", "block.0.capacity": 1,
    "net.count": 1, "net.0.name": "tap0",
}  # fmt: skip


@dataclasses.dataclass
class Fake:
    """A clock, and domains with XML."""

    now: float = 0.0
    error: Exception | None = None
    asked: list[str] = dataclasses.field(default_factory=list)

    def read(self, record):
        self.asked.append(record.uuid)
        if self.error is not None:
            raise self.error
        return XML


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def xmls(fake):
    return XmlCache(fake.read, lambda: fake.now)


def record(uuid="uuid-1", number=1, outcome=Outcome.READ, **fields):
    return Record(uuid, number, uuid, outcome=outcome, fields=FIELDS | fields)


def test_xml_is_read_once_in_a_boot(xmls, fake):
    assert xmls.get(record(), "block") is xmls.get(record(), "net")
    assert fake.asked == ["uuid-1"]


def test_xml_of_the_next_boot_is_read(xmls, fake):
    xmls.get(record(), "block")
    xmls.get(record(number=2), "block")
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("group", "changed"),
    [
        ("block", {"block.count": 2, "block.1.name": "vdb"}),
        ("block", {"block.0.path": "/b"}),
        ("block", {"block.0.backingIndex": 7}),
        ("net", {"net.count": 2, "net.1.name": "tap1"}),
        ("net", {"net.0.name": "tap9"}),
    ],
)
def test_xml_is_read_again_when_a_device_changes(xmls, fake, group, changed):
    xmls.get(record(), group)
    xmls.get(record(**changed), group)
    xmls.get(record(**changed), group)
    assert len(fake.asked) == 2


def test_xml_is_not_read_again_when_counters_move(xmls, fake):
    xmls.get(record(), "block")
    xmls.get(record(**{"block.0.rd.reqs": 5, "block.0.physical": 4096}), "block")
    assert len(fake.asked) == 1


def test_domain_that_cannot_be_asked_has_no_xml(xmls, fake):
    fake.error = DomainGoneError("the domain has ended")
    assert xmls.get(record(), "block") is None


def test_busy_domain_is_never_asked(xmls, fake):
    for outcome in Outcome:
        if outcome is not Outcome.READ:
            xmls.refresh([record(outcome=outcome)])
    assert fake.asked == []


def test_new_domains_are_all_read_and_old_ones_in_turns(xmls, fake):
    records = [record(f"uuid-{number}") for number in range(2 * REFRESH_SHARE)]
    xmls.refresh(records)
    assert len(fake.asked) == 2 * REFRESH_SHARE
    fake.now += REFRESH_SECONDS + 1
    fake.asked.clear()
    for _ in range(REFRESH_SHARE):
        before = len(fake.asked)
        xmls.refresh(records)
        assert len(fake.asked) == before + 2
    assert sorted(fake.asked) == sorted(one.uuid for one in records)
    xmls.refresh(records)
    assert len(fake.asked) == 2 * REFRESH_SHARE


def test_departed_domain_is_forgotten(xmls):
    xmls.refresh([record()])
    xmls.refresh([record("uuid-2")])
    assert xmls.kept(record()) is None
