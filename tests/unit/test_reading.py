# SPDX-License-Identifier: Apache-2.0
"""Judging: raw statistics and a clock to a reading, or the reason why not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ceilometer_memballoon.reading import (
    ABSURD,
    REMEDIES,
    Circumstances,
    Reading,
    Reason,
    RunState,
    freshness_limit,
    judge,
    no_reading,
    stats_of_bulk,
    usage,
)
from tests.unit import recorded

PERIOD = 10
NOW = recorded.LAST_UPDATE + 5
RUNNING = stats_of_bulk(recorded.RUNNING)
PAUSED = Circumstances(state=RunState.PAUSED)
#: What the host knows of it.
HOST = {"actual": 98304, "maximum": 98304, "rss": 183192}


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


def test_running_guest_is_trusted_in_all_it_says():
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


def test_domain_without_balloon_is_named_so():
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
        {"disk_caches": 62033},
    ],
)
def test_contradictory_statistics_are_implausible(changed):
    assert judge(running(**changed), NOW, PERIOD).reason is Reason.IMPLAUSIBLE


@pytest.mark.parametrize("changed", [{"usable": 62032}, {"usable": 0}, {"available": 98304}])
def test_statistics_at_the_edge_of_the_plausible_are_used(changed):
    assert judge(running(**changed), NOW, PERIOD).reason is None


@pytest.mark.parametrize("missing", [("available",), ("usable", "unused")])
def test_driver_that_answers_without_saying_how_much_is_implausible(missing):
    assert judge(without(*missing), NOW, PERIOD).reason is Reason.IMPLAUSIBLE


def test_frozen_answer_without_numbers_is_that_of_no_driver():
    # Windows with the driver, but without the balloon service.
    stats = {name: RUNNING[name] for name in ("actual", "maximum", "rss", "last_update")}
    assert judge(stats, NOW + 3600, PERIOD).reason is Reason.NO_GUEST_DRIVER


def test_statistics_without_a_maximum_cannot_be_bounded():
    assert judge(without("maximum"), NOW, PERIOD).reason is Reason.IMPLAUSIBLE


def test_reason_alone_is_a_reading_without_anything():
    assert no_reading(Reason.GONE) == Reading({}, {}, Reason.GONE, None)


def test_balloon_of_an_unknown_maximum_is_dropped():
    assert judge({"actual": 1}, NOW, PERIOD).host == {}


def test_least_absurd_value_is_dropped():
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
    used = usage(reading.guest)
    assert (used is None) == (reading.reason is not None)
    assert used is None or 0 <= used <= stats["maximum"]


@given(stats=STATS, now=NUMBERS)
def test_any_numbers_give_resident_memory_that_can_exist_or_none(stats, now):
    rss = judge(stats, now, PERIOD).host.get("rss", 0)
    assert 0 <= rss < 2**53
