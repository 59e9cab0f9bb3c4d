# SPDX-License-Identifier: Apache-2.0
"""The table of meters, with readings of real guests."""

import pytest

from ceilometer_memballoon.meters import COMING, METERS, MIB
from ceilometer_memballoon.reading import (
    STATES,
    Circumstances,
    Reading,
    Reason,
    judge,
    no_reading,
    run_state,
    stats_of_bulk,
)
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
        "memory_hugetlb_pgalloc": 0,
        "memory_hugetlb_pgfail": 0,
        "memory_stats_age": AGE,
        "memory_stats_state": 0,
    }


def test_stale_guest_has_what_the_host_knows_and_its_age():
    assert volumes(STALE) == {
        "memory_resident": 183192 / 1024,
        "memory_balloon": 96,
        "memory_stats_age": 3600,
        "memory_stats_state": STATES[Reason.STALE],
    }


def test_guest_that_never_answered_has_what_the_host_knows_and_no_age():
    assert volumes(DRIVERLESS) == {
        "memory_resident": 185360 / 1024,
        "memory_balloon": 96,
        "memory_stats_state": STATES[Reason.NO_GUEST_DRIVER],
    }


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_instance_that_could_not_be_read_has_the_number_of_its_reason(reason):
    assert volumes(no_reading(reason)) == {"memory_stats_state": STATES[reason]}


def test_instance_that_could_not_be_read_has_the_age_of_the_last_report_that_was_seen():
    assert volumes(no_reading(Reason.NOT_RESPONDING, age=70)) == {
        "memory_stats_age": 70,
        "memory_stats_state": STATES[Reason.NOT_RESPONDING],
    }


@pytest.mark.parametrize(("age", "volume"), [(0.4, 0), (59.6, 60), (-0.1, None), (-3600, None)])
def test_age_is_in_whole_seconds_and_never_below_zero(age, volume):
    assert METERS["memory_stats_age"].volume(Reading({}, {}, Reason.STALE, age)) == volume


def test_util_needs_usable():
    reading = Reading({}, {"available": 1000, "unused": 250})
    assert METERS["memory_util"].volume(reading) is None
    assert METERS["memory_usage"].volume(reading) == 750 / 1024


@pytest.mark.parametrize("meter", COMING, ids=lambda meter: meter.name)
def test_statistic_that_a_later_libvirt_passes_on_is_a_meter(meter):
    fields = {**recorded.RUNNING, f"balloon.{meter.source}": 3072}
    reading = judge(stats_of_bulk(fields), recorded.LAST_UPDATE, 10)
    assert meter.volume(reading) == (3 if meter.unit == MIB else 3072)
    assert meter.volume(RUNNING) is None


def test_every_meter_has_a_unit_and_a_source():
    units = {MIB, "%", "fault", "page", "s", "state", "kill", "stall"}
    assert {meter.unit for meter in METERS.values()} == units
    assert all(meter.source for meter in METERS.values())


#: Reports from the field: bulk fields, the age of the statistics in seconds, and the correct
#: volumes (MiB, s) of the meters that matter. None means that a sample would be wrong.
FIELD = {
    "libvirt could not parse /proc/PID/stat": (
        {"current": 4194304, "maximum": 4194304, "available": 4018740, "unused": 3838232,
         "usable": 3900000, "disk_caches": 159144, "rss": 0},
        3, {"memory_resident": None, "memory_usage": 115.96, "memory_stats_state": 0},
    ),
    "Windows without the balloon service": (
        {"current": 8388608, "maximum": 16777216, "rss": 8477140},
        100, {"memory_usage": None, "memory_stats_age": None, "memory_stats_state": 2},
    ),
    "Windows without the balloon service, just booted": (
        {"current": 25165824, "maximum": 25165824, "rss": 24000000},
        3, {"memory_usage": None, "memory_stats_age": None, "memory_stats_state": 2},
    ),
    "inflated balloon, and a total that does not shrink": (
        {"current": 8388608, "maximum": 16777216, "available": 16770000, "usable": 6200000,
         "unused": 6000000, "rss": 8000000},
        3, {"memory_usage": 2137.31, "memory_util": 26.09, "memory_available": 16376.95},
    ),
    "inflated balloon, and a total that shrinks": (
        {"current": 8388608, "maximum": 16777216, "available": 8100000, "usable": 6200000,
         "unused": 6000000, "rss": 8000000},
        3, {"memory_usage": 1855.47, "memory_util": 23.46, "memory_balloon": 8192},
    ),
    "driver before Linux 4.6": (
        {"current": 52428800, "maximum": 52428800, "available": 51372032, "unused": 1256448,
         "rss": 50000000},
        3, {"memory_usage": 48941.0, "memory_util": None, "memory_stats_state": 0},
    ),
    "usable is free memory by another name": (
        {"current": 1048576, "maximum": 1048576, "available": 1000000, "unused": 100000,
         "usable": 100000, "disk_caches": 700000, "rss": 900000},
        3, {"memory_usage": 878.91, "memory_util": None, "memory_usable": None,
            "memory_cached": 683.59},
    ),
    "usable is not filled": (
        {"current": 1048576, "maximum": 1048576, "available": 1000000, "unused": 500000,
         "usable": 0, "disk_caches": 300000, "rss": 900000},
        3, {"memory_usage": 488.28, "memory_util": None, "memory_usable": None},
    ),
    "32-bit service": (
        {"current": 10383360, "maximum": 10485760, "available": 2096128, "unused": 2096128,
         "swap_in": 0, "swap_out": 0, "major_fault": 0, "minor_fault": 25, "rss": 900000},
        3, {"memory_usage": None, "memory_available": None, "memory_stats_state": 4},
    ),
    "disk_caches contradict the rest": (
        {"current": 1048576, "maximum": 1048576, "available": 1000000, "unused": 500000,
         "usable": 600000, "disk_caches": 900000, "rss": 900000},
        3, {"memory_usage": 390.63, "memory_util": 40.0, "memory_cached": None},
    ),
    "rss above the flavor": (
        {"current": 524288, "maximum": 524288, "available": 499712, "unused": 300000,
         "usable": 350000, "rss": 552836},
        3, {"memory_resident": 539.88, "memory_usage": 146.2},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "age", "right"), FIELD.values(), ids=FIELD)
def test_field_reports_give_the_right_volumes(fields, age, right):
    stats = stats_of_bulk({f"balloon.{name}": value for name, value in fields.items()})
    stats["last_update"] = recorded.LAST_UPDATE
    found = volumes(judge(stats, recorded.LAST_UPDATE + age, 10))
    assert {name: found.get(name) for name in right} == pytest.approx(right, abs=0.01)


def test_crashed_guest_has_its_own_state():
    crashed = Circumstances(state=run_state(6, 1))
    reading = judge(stats_of_bulk(recorded.RUNNING), recorded.LAST_UPDATE + 500, 10, crashed)
    assert METERS["memory_stats_state"].volume(reading) == STATES[Reason.CRASHED]


def test_domain_without_a_balloon_device_has_no_memory_balloon():
    reading = judge(
        stats_of_bulk(recorded.NO_DEVICE), recorded.LAST_UPDATE, 10, Circumstances(balloon=False)
    )
    assert volumes(reading) == {
        "memory_resident": 183264 / 1024,
        "memory_stats_state": STATES[Reason.NO_BALLOON_DEVICE],
    }
