# SPDX-License-Identifier: Apache-2.0
"""When the plugin asks libvirt for the sizes of a disk."""

import dataclasses

import pytest

from ceilometer_memballoon.disk_sizes import REFRESH_SECONDS, DiskSizes
from ceilometer_memballoon.errors import DeadlineError, DomainError
from ceilometer_memballoon.record import Outcome, Record

FIELDS = {
    "block.count": 2, "block.0.name": "vda", "block.0.allocation": 5, "block.0.physical": 7,
    "block.1.name": "vdb",
}  # fmt: skip


@dataclasses.dataclass
class Fake:
    """A clock, and disks with sizes."""

    now: float = 0.0
    errors: dict[str, Exception] = dataclasses.field(default_factory=dict)
    asked: list[str] = dataclasses.field(default_factory=list)

    def read(self, record, target):
        self.asked.append(target)
        if target in self.errors:
            raise self.errors[target]
        return 10, len(self.asked), 3


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def sizes(fake):
    return DiskSizes(fake.read, lambda: fake.now)


def record(number=1, **fields):
    return Record("uuid-1", number, "name", outcome=Outcome.READ, fields=FIELDS | fields)


def test_each_disk_is_asked_once(sizes, fake):
    first = sizes.get(record(), ["vda", "vdb"])
    assert sizes.get(record(), ["vda", "vdb"]) == first == {"vda": (10, 1, 3), "vdb": (10, 2, 3)}


def test_disk_whose_bulk_statistics_changed_is_asked_again(sizes, fake):
    sizes.get(record(), ["vda", "vdb"])
    sizes.get(record(**{"block.0.allocation": 6}), ["vda", "vdb"])
    assert fake.asked == ["vda", "vdb", "vda"]


def test_disk_is_asked_again_in_the_next_boot_and_after_a_while(sizes, fake):
    sizes.get(record(), ["vda"])
    sizes.get(record(number=2), ["vda"])
    fake.now += REFRESH_SECONDS
    sizes.get(record(number=2), ["vda"])
    assert fake.asked == ["vda"] * 3


def test_disk_that_libvirt_fails_at_costs_only_itself(sizes, fake):
    fake.errors["vda"] = DomainError("no such file")
    assert set(sizes.get(record(), ["vda", "vdb"])) == {"vdb"}


def test_missing_answer_about_a_disk_is_raised(sizes, fake):
    fake.errors["vda"] = DeadlineError("no answer")
    with pytest.raises(DeadlineError):
        sizes.get(record(), ["vda"])
