# SPDX-License-Identifier: Apache-2.0
"""The meter table, on readings of real guests."""

import pytest

from ceilometer_memballoon.meters import METERS, MIB
from ceilometer_memballoon.reading import Reading, Reason, judge, no_reading, stats_of_bulk
from tests.unit import recorded

AGE = 5
RUNNING = judge(stats_of_bulk(recorded.RUNNING), recorded.LAST_UPDATE + AGE, 10)
STALE = judge(stats_of_bulk(recorded.RUNNING), recorded.LAST_UPDATE + 3600, 10)
DRIVERLESS = judge(stats_of_bulk(recorded.NO_DRIVER), recorded.LAST_UPDATE, 10)


def volumes(reading):
    found = {name: meter.volume(reading) for name, meter in METERS.items()}
    return {name: volume for name, volume in found.items() if volume is not None}


def test_running_guest_has_every_meter():
    assert volumes(RUNNING) == {
        "memory_usage": (62032 - 41608) / 1024,
        "memory_resident": 183192 / 1024,
        "memory_available": 62032 / 1024,
        "memory_unused": 35232 / 1024,
        "memory_usable": 41608 / 1024,
        "memory_cached": 2216 / 1024,
        "memory_balloon": 96,
        "memory_util": 100 * (62032 - 41608) / 62032,
        "memory_swap_in": 0,
        "memory_swap_out": 0,
        "memory_fault_major": 0,
        "memory_fault_minor": 715,
        "memory_stats_age": AGE,
    }


def test_stale_guest_has_what_the_host_knows_and_its_age():
    assert volumes(STALE) == {
        "memory_resident": 183192 / 1024,
        "memory_balloon": 96,
        "memory_stats_age": 3600,
    }


def test_guest_that_never_answered_has_what_the_host_knows_and_no_age():
    assert volumes(DRIVERLESS) == {"memory_resident": 185360 / 1024, "memory_balloon": 96}


def test_guest_that_could_not_be_read_has_no_meter():
    assert volumes(no_reading(Reason.NOT_RESPONDING)) == {}


@pytest.mark.parametrize(("age", "volume"), [(0.4, 0), (59.6, 60), (-0.1, None), (-3600, None)])
def test_age_is_in_whole_seconds_and_never_below_zero(age, volume):
    assert METERS["memory_stats_age"].volume(Reading({}, {}, Reason.STALE, age)) == volume


def test_util_of_a_guest_without_memory_is_none():
    assert METERS["memory_util"].volume(Reading({}, {"available": 0, "usable": 0})) is None


def test_util_needs_only_what_usage_needs():
    reading = Reading({}, {"available": 1000, "unused": 250})
    assert METERS["memory_util"].volume(reading) == 75


def test_every_meter_says_its_unit_and_source():
    assert {meter.unit for meter in METERS.values()} == {MIB, "%", "fault", "s"}
    assert all(meter.source for meter in METERS.values())
