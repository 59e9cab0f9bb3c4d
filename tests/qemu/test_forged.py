# SPDX-License-Identifier: Apache-2.0
"""Guests with impossible statistics, which the lab's own balloon driver sends."""

import pytest

from ceilometer_memballoon.reading import Reason, usage
from tests.lab.guest import Guest
from tests.lab.waiting import wait_for

MIB = 2**20
MEMORY_MIB = 96
MOST = 2**64 - 1

#: Statistics of a healthy lab guest.
SOUND = {"unused": 30 * MIB, "available": 60 * MIB, "usable": 40 * MIB, "disk_caches": 2 * MIB}


@pytest.fixture(scope="module")
def forger(hypervisor):
    """A guest that forges its statistics, and one that does not."""
    guests = [
        Guest(hypervisor, "forger", period=1, memory=MEMORY_MIB, forge=True),
        Guest(hypervisor, "other", period=1),
    ]
    yield [guest.wait_until_up() for guest in guests]
    for guest in guests:
        guest.destroy()


def claim(guest, **claims):
    """Make the guest send these statistics, and wait until libvirt has them at the next period."""
    guest.forge(**claims)
    # 2^64-1 in the guest is -1 in libvirt, which drops it.
    expected = {name: value // 1024 if value < MOST else None for name, value in claims.items()}

    def is_known():
        stats = guest.domain.memoryStats()
        return {name: stats.get(name) for name in expected} == expected

    wait_for(is_known, 20, "the claim")


@pytest.mark.by_version
@pytest.mark.parametrize(
    "claims",
    [
        {**SOUND, "available": MOST},
        {**SOUND, "usable": MOST - 1},
        {**SOUND, "usable": 61 * MIB},
        {**SOUND, "unused": 61 * MIB},
        {**SOUND, "available": (MEMORY_MIB + 1) * MIB},
        {**SOUND, "available": 2**63},
    ],
    ids=[
        "available -1",
        "usable -2",
        "usable",
        "unused",
        "available",
        "half of 2^64",
    ],
)
def test_forged_statistics_are_implausible_and_cost_the_others_nothing(
    forger, make_collector, claims
):
    guest, other = forger
    collector = make_collector(period=1)
    claim(guest, **claims)
    readings = collector.readings({}, [])
    reasons = {uuid: reading.reason for uuid, reading in readings.items()}
    assert reasons == {guest.uuid: Reason.IMPLAUSIBLE, other.uuid: None}
    assert usage(readings[guest.uuid].guest) is None


def test_forged_statistics_that_shrink_and_grow_never_leave_the_guests_memory(
    forger, make_collector
):
    guest, _ = forger
    collector = make_collector(period=1)
    found = []
    for available in (60, 10, 96, 1, 200, 60):
        claim(guest, **{**SOUND, "available": available * MIB})
        found.append(usage(collector.readings({}, [])[guest.uuid].guest))
    used = [None if value is None else value / 1024 for value in found]
    assert used == [20, None, 56, None, None, 20]


def test_driver_that_fills_no_field_has_never_reported(forger, make_collector):
    guest, other = forger
    # The driver sends its counters as 0.
    claim(guest, **dict.fromkeys(SOUND, MOST))
    readings = make_collector(period=1).readings({}, [])
    reasons = {uuid: reading.reason for uuid, reading in readings.items()}
    assert reasons == {guest.uuid: Reason.NO_GUEST_DRIVER, other.uuid: None}
    assert readings[guest.uuid].age is None


def test_disk_caches_that_contradict_the_rest_are_missing_alone(forger, make_collector):
    guest, _ = forger
    claim(guest, **{**SOUND, "disk_caches": 31 * MIB})
    reading = make_collector(period=1).readings({}, [])[guest.uuid]
    assert (reading.reason, usage(reading.guest)) == (None, 20 * 1024)
    assert "disk_caches" not in reading.guest


def test_driver_that_does_not_know_usable_is_judged_by_unused(forger, make_collector):
    guest, _ = forger
    claim(guest, **{**SOUND, "usable": MOST})
    reading = make_collector(period=1).readings({}, [])[guest.uuid]
    assert (reading.reason, usage(reading.guest)) == (None, 30 * 1024)
    assert reading.includes_cache
