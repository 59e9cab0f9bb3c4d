# SPDX-License-Identifier: Apache-2.0
"""Judging raw statistics at a time: a reading, or the reason why there is none."""

import libvirt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ceilometer_memballoon.reading import (
    ABSURD,
    REMEDIES,
    STATES,
    Circumstances,
    Reading,
    Reason,
    RunState,
    freshness_limit,
    judge,
    last_report,
    no_reading,
    run_state,
    stats_of_bulk,
    total,
    usage,
    util,
)
from tests.unit import recorded

PERIOD = 10
NOW = recorded.LAST_UPDATE + 5
RUNNING = stats_of_bulk(recorded.RUNNING)
PAUSED = Circumstances(state=RunState.PAUSED)
#: The statistics that the host has of the guest.
HOST = {"actual": 98304, "maximum": 98304, "rss": 183192}


#: The statistics that the guest sends.
GUEST = sorted(set(RUNNING) - {*HOST, "last_update"})


def running(**changed):
    return {**RUNNING, **changed}


def without(*names):
    return {name: value for name, value in RUNNING.items() if name not in names}


def test_bulk_fields_get_the_names_that_memorystats_has():
    assert RUNNING == {
        "actual": 98304,
        "maximum": 98304,
        "swap_in": 0,
        "swap_out": 0,
        "major_fault": 0,
        "minor_fault": 715,
        "unused": 35232,
        "available": 62032,
        "usable": 41608,
        "last_update": 1795530996,
        "disk_caches": 2216,
        "hugetlb_pgalloc": 0,
        "hugetlb_pgfail": 0,
        "rss": 183192,
    }


def test_hyphen_of_a_bulk_field_is_an_underscore_among_stats():
    assert stats_of_bulk({"balloon.last-update": 7}) == {"last_update": 7}


def test_bulk_record_without_balloon_fields_gives_no_stats():
    assert stats_of_bulk({"state.state": 1}) == {}


def test_running_guest_keeps_all_its_statistics():
    guest = without("last_update", *HOST)
    assert judge(RUNNING, NOW, PERIOD) == Reading(HOST, guest, None, 5)


def test_usage_is_available_less_usable():
    assert usage(RUNNING) == 62032 - 41608


def test_usage_is_available_less_unused_where_usable_is_missing():
    assert usage(without("usable")) == 62032 - 35232


@pytest.mark.parametrize("missing", [("available",), ("usable", "unused")])
def test_usage_is_unknown_without_both_its_terms(missing):
    assert usage(without(*missing)) is None


def test_guest_without_driver_keeps_what_the_host_knows():
    reading = judge(stats_of_bulk(recorded.NO_DRIVER), NOW, PERIOD)
    expected = {"actual": 98304, "maximum": 98304, "rss": 185360}
    assert reading == Reading(expected, {}, Reason.NO_GUEST_DRIVER, None)


def test_domain_without_balloon_has_that_reason():
    reading = judge(stats_of_bulk(recorded.NO_DEVICE), NOW, PERIOD, Circumstances(balloon=False))
    assert reading.reason is Reason.NO_BALLOON_DEVICE


def test_guest_that_has_never_run_is_paused():
    reading = judge(stats_of_bulk(recorded.NEVER_RUN), NOW, PERIOD, PAUSED)
    assert (reading.reason, reading.host["rss"]) == (Reason.PAUSED, 51504)


@pytest.mark.parametrize("age", [30, -30])
def test_statistics_at_the_freshness_limit_are_used(age):
    assert judge(RUNNING, recorded.LAST_UPDATE + age, PERIOD).reason is None


@pytest.mark.parametrize("age", [31, -31, 3600, -3600])
def test_statistics_beyond_the_freshness_limit_are_stale(age):
    assert judge(RUNNING, recorded.LAST_UPDATE + age, PERIOD).reason is Reason.STALE


def test_stale_statistics_leave_only_what_the_host_knows():
    reading = judge(RUNNING, NOW + 3600, PERIOD)
    assert (reading.host, reading.guest) == (HOST, {})


def test_stale_statistics_of_a_paused_guest_are_paused():
    assert judge(RUNNING, NOW + 3600, PERIOD, PAUSED).reason is Reason.PAUSED


def test_statistics_without_a_time_are_stale():
    assert judge(without("last_update"), NOW, PERIOD).reason is Reason.STALE


@pytest.mark.parametrize(("period", "limit"), [(-1, 30), (0, 30), (10, 30), (11, 33), (60, 180)])
def test_freshness_limit_is_three_periods_and_at_least_thirty_seconds(period, limit):
    assert freshness_limit(period) == limit


@pytest.mark.parametrize(
    "changed",
    [
        {"usable": 62033},
        {"unused": 62033},
        {"usable": 2**54 - 1},
        {"usable": -1},
        {"available": 98305},
        {"available": 2**54 - 1, "usable": 2**54 - 1, "unused": 2**54 - 1},
        {"maximum": 2**64 - 1},
        {"maximum": ABSURD},
    ],
)
def test_contradictory_statistics_are_implausible(changed):
    assert judge(running(**changed), NOW, PERIOD).reason is Reason.IMPLAUSIBLE


@pytest.mark.parametrize(
    "changed", [{"usable": 62031}, {"usable": 1}, {"unused": 62031}, {"available": 98304}]
)
def test_statistics_at_the_edge_of_the_plausible_are_used(changed):
    assert judge(running(**changed), NOW, PERIOD).reason is None


@pytest.mark.parametrize("missing", [("available",), ("usable", "unused")])
def test_driver_that_sends_no_amount_is_implausible(missing):
    assert judge(without(*missing), NOW, PERIOD).reason is Reason.IMPLAUSIBLE


@pytest.mark.parametrize(
    "silent",
    [
        {},
        dict.fromkeys(GUEST, 0),
        {"swap_in": 0, "swap_out": 0},
    ],
    ids=["nothing", "zeros", "counters"],
)
@pytest.mark.parametrize("age", [3, 100, 3600])
def test_guest_that_answers_without_a_number_has_never_reported(silent, age):
    # Windows with the driver and without the balloon service.
    stats = {**HOST, **silent, "last_update": recorded.LAST_UPDATE}
    reading = judge(stats, recorded.LAST_UPDATE + age, PERIOD)
    assert reading == Reading(HOST, {}, Reason.NO_GUEST_DRIVER, None)


def test_guest_that_answers_without_a_number_while_it_boots_is_booting():
    stats = {**HOST, "last_update": recorded.LAST_UPDATE}
    assert judge(stats, NOW, PERIOD, Circumstances(booting=True)).reason is Reason.BOOTING


def test_guest_without_statistics_that_boots_is_booting():
    assert judge(HOST, NOW, PERIOD, Circumstances(booting=True)).reason is Reason.BOOTING


def test_guest_that_reported_since_it_booted_is_judged_by_that():
    booting = Circumstances(booting=True)
    assert judge(RUNNING, NOW, PERIOD, booting).reason is None
    assert judge(RUNNING, NOW + 3600, PERIOD, booting).reason is Reason.STALE


@pytest.mark.parametrize("stats", [HOST, {**HOST, "last_update": NOW - 1}], ids=["none", "empty"])
def test_guest_whose_numbers_are_gone_is_stale_since_its_last_report(stats):
    seen = Circumstances(last_report=NOW - 50)
    assert judge(stats, NOW, PERIOD, seen) == Reading(HOST, {}, Reason.STALE, 50)


def test_current_report_takes_precedence_over_an_earlier_one():
    assert judge(RUNNING, NOW, PERIOD, Circumstances(last_report=NOW - 50)).age == 5


def test_last_report_is_that_of_the_statistics_if_they_hold_a_number():
    assert last_report(RUNNING) == recorded.LAST_UPDATE


@pytest.mark.parametrize(
    "stats",
    [
        without("last_update"),
        running(last_update=0),
        {**HOST, "last_update": recorded.LAST_UPDATE},
        {**dict.fromkeys(GUEST, 0), "last_update": recorded.LAST_UPDATE},
    ],
    ids=["no time", "time 0", "nothing", "zeros"],
)
def test_statistics_without_time_or_number_are_no_report(stats):
    assert last_report(stats) is None


def test_statistics_without_a_maximum_cannot_be_bounded():
    assert judge(without("maximum"), NOW, PERIOD).reason is Reason.IMPLAUSIBLE


def test_reading_with_only_a_reason_is_empty():
    assert no_reading(Reason.GONE) == Reading({}, {}, Reason.GONE, None)


def test_statistics_of_host_and_guest_are_given_together_or_not_at_all():
    assert Reading({"actual": 1}, {"usable": 2}).stats == {"actual": 1, "usable": 2}
    assert Reading({"actual": 1}, {}).stats == {}


def test_reason_can_come_with_the_age_of_the_last_report():
    assert no_reading(Reason.BUSY, 7) == Reading({}, {}, Reason.BUSY, 7)


@pytest.mark.parametrize("never", [without("last_update"), running(last_update=0)])
def test_statistics_without_a_time_are_not_fresh_in_1970_either(never):
    assert judge(never, 5, PERIOD).reason is Reason.STALE


@pytest.mark.parametrize("balloon", [True, False])
@pytest.mark.parametrize("age", [5, 3600])
@pytest.mark.parametrize(
    ("state", "reason"),
    [(RunState.CRASHED, Reason.CRASHED), (RunState.IO_ERROR, Reason.IO_ERROR)],
)
def test_failed_guest_has_its_reason_despite_fresh_statistics(state, reason, age, balloon):
    failed = Circumstances(state=state, balloon=balloon)
    reading = judge(RUNNING, recorded.LAST_UPDATE + age, PERIOD, failed)
    assert (reading.reason, reading.guest, reading.age) == (reason, {}, age)


def test_guest_paused_for_a_moment_keeps_its_fresh_statistics():
    assert judge(RUNNING, NOW, PERIOD, PAUSED).reason is None


def test_guest_that_is_paused_while_it_boots_is_paused():
    paused = Circumstances(state=RunState.PAUSED, booting=True)
    assert judge(HOST, NOW, PERIOD, paused).reason is Reason.PAUSED


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        ("VIR_DOMAIN_RUNNING", "VIR_DOMAIN_RUNNING_BOOTED", RunState.RUNNING),
        ("VIR_DOMAIN_RUNNING", "VIR_DOMAIN_RUNNING_UNPAUSED", RunState.RUNNING),
        ("VIR_DOMAIN_RUNNING", "VIR_DOMAIN_RUNNING_POSTCOPY", RunState.RUNNING),
        ("VIR_DOMAIN_BLOCKED", "VIR_DOMAIN_BLOCKED_UNKNOWN", RunState.RUNNING),
        ("VIR_DOMAIN_NOSTATE", "VIR_DOMAIN_NOSTATE_UNKNOWN", RunState.RUNNING),
        ("VIR_DOMAIN_PAUSED", "VIR_DOMAIN_PAUSED_USER", RunState.PAUSED),
        ("VIR_DOMAIN_PAUSED", "VIR_DOMAIN_PAUSED_MIGRATION", RunState.PAUSED),
        ("VIR_DOMAIN_PAUSED", "VIR_DOMAIN_PAUSED_POSTCOPY_FAILED", RunState.PAUSED),
        ("VIR_DOMAIN_PAUSED", "VIR_DOMAIN_PAUSED_WATCHDOG", RunState.PAUSED),
        ("VIR_DOMAIN_PAUSED", "VIR_DOMAIN_PAUSED_IOERROR", RunState.IO_ERROR),
        ("VIR_DOMAIN_PAUSED", "VIR_DOMAIN_PAUSED_CRASHED", RunState.CRASHED),
        ("VIR_DOMAIN_CRASHED", "VIR_DOMAIN_CRASHED_UNKNOWN", RunState.CRASHED),
        ("VIR_DOMAIN_CRASHED", "VIR_DOMAIN_CRASHED_PANICKED", RunState.CRASHED),
        ("VIR_DOMAIN_PMSUSPENDED", "VIR_DOMAIN_PMSUSPENDED_UNKNOWN", RunState.PAUSED),
    ],
)
def test_libvirts_states_and_reasons_say_whether_a_guest_runs(state, reason, expected):
    assert run_state(getattr(libvirt, state), getattr(libvirt, reason)) is expected


def test_balloon_of_a_guest_whose_total_does_not_shrink_is_not_used_by_it():
    # The total is fixed in Windows, and in Linux with autodeflate.
    stats = {"available": 16770000, "actual": 8388608, "usable": 6200000, "unused": 6000000}
    assert (total(stats), usage(stats)) == (8388608, 8388608 - 6200000)
    assert util(stats) == 100 * (8388608 - 6200000) / 8388608


def test_balloon_is_not_used_by_a_guest_without_usable_either():
    assert usage({"available": 16770000, "actual": 8388608, "unused": 6000000}) == 2388608


def test_total_that_shrinks_with_the_balloon_is_the_guests_own():
    # The total shrinks in Linux without autodeflate.
    stats = {"available": 8100000, "actual": 8388608, "usable": 6200000}
    assert (total(stats), usage(stats)) == (8100000, 1900000)


def test_numbers_from_before_the_balloon_grew_are_used_unchanged():
    stats = {"available": 16770000, "actual": 8388608, "usable": 8388609}
    assert (total(stats), usage(stats)) == (16770000, 16770000 - 8388609)


def test_all_that_the_balloon_leaves_can_be_usable():
    assert usage({"available": 16770000, "actual": 8388608, "usable": 8388608}) == 0


def test_total_is_known_without_a_free_amount_or_a_balloon():
    assert total({"available": 16770000, "actual": 8388608}) == 8388608
    assert total({"available": 16770000}) == 16770000
    assert total({"actual": 8388608}) is None


def test_util_is_not_made_from_free_memory_alone():
    assert util(without("usable")) is None


def test_util_of_a_guest_without_memory_is_none():
    assert util({"available": 0, "usable": 0}) is None


def test_util_is_unknown_without_a_total():
    assert util(without("available")) is None


@pytest.mark.parametrize(
    ("stats", "includes"),
    [(RUNNING, False), (without("usable"), True), (running(usable=35232), True), (HOST, False)],
    ids=["usable", "no usable", "usable is unused", "no report"],
)
def test_usage_includes_the_page_cache_without_a_usable_of_its_own(stats, includes):
    assert judge(stats, NOW, PERIOD).includes_cache is includes


def test_domain_without_a_balloon_device_has_no_balloon():
    reading = judge(HOST, NOW, PERIOD, Circumstances(balloon=False))
    assert reading.host == {"maximum": 98304, "rss": 183192}


def test_numbers_of_verdicts_never_change():
    assert {reason and reason.value: number for reason, number in STATES.items()} == {
        None: 0,
        "no balloon device": 1,
        "no guest driver": 2,
        "stale": 3,
        "implausible": 4,
        "paused": 5,
        "busy": 6,
        "not responding": 7,
        "gone": 8,
        "booting": 9,
        "not asked": 10,
        "crashed": 11,
        "I/O error": 12,
        "read error": 13,
    }
    assert set(STATES) == {None, *Reason}


def test_balloon_of_an_unknown_maximum_is_dropped():
    assert judge({"actual": 1}, NOW, PERIOD).host == {}


def test_smallest_absurd_value_is_dropped():
    assert judge({"rss": ABSURD}, NOW, PERIOD).host == {}


def test_absurd_value_of_the_host_is_dropped_alone():
    assert "rss" not in judge(running(rss=2**54 - 1), NOW, PERIOD).host


@pytest.mark.parametrize("actual", [98305, 2**54 - 1, -1])
def test_balloon_larger_than_the_guest_or_below_nothing_is_dropped_alone(actual):
    reading = judge(running(actual=actual), NOW, PERIOD)
    assert (reading.reason, reading.host) == (None, {"maximum": 98304, "rss": 183192})


def test_every_reason_has_a_remedy():
    assert set(REMEDIES) == set(Reason)


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.integers(0, 2**18)
STATS = st.dictionaries(st.sampled_from(sorted(RUNNING)), NUMBERS)


@given(stats=STATS, age=st.integers(-100, 100), period=NUMBERS, state=st.sampled_from(RunState))
@example(stats=running(usable=204800), age=5, period=10, state=RunState.RUNNING)
@example(stats=running(available=2**64 - 1, usable=1), age=5, period=10, state=RunState.RUNNING)
def test_any_numbers_give_usage_within_the_maximum_or_a_reason(stats, age, period, state):
    if "last_update" in stats:
        stats["last_update"] = recorded.LAST_UPDATE
    reading = judge(stats, recorded.LAST_UPDATE + age, period, Circumstances(state=state))
    used = usage(reading.stats)
    assert (used is None) == (reading.reason is not None)
    assert used is None or 0 <= used <= stats["maximum"]


@given(stats=STATS, now=NUMBERS)
def test_any_numbers_give_resident_memory_that_can_exist_or_none(stats, now):
    rss = judge(stats, now, PERIOD).host.get("rss", 0)
    assert 0 <= rss < 2**53
