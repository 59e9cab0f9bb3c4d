# SPDX-License-Identifier: Apache-2.0
"""Fields that a driver does not fill, and values that are impossible, by kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceilometer_memballoon.plausibility import (
    COUNTERS,
    guest_stats,
    has_number,
    host_stats,
    is_plausible,
)
from ceilometer_memballoon.stats import ABSURD

GIB = 2**20
HOST = {"actual": 4 * GIB, "maximum": 4 * GIB, "rss": 3 * GIB}
#: A guest of 4 GiB with all fields that Linux sends.
GUEST = {
    "available": 4_000_000,
    "unused": 1_000_000,
    "usable": 2_500_000,
    "disk_caches": 1_600_000,
    "swap_in": 10,
    "swap_out": 20,
    "major_fault": 30,
    "minor_fault": 40,
    "hugetlb_pgalloc": 0,
    "hugetlb_pgfail": 0,
}


def missing(**changed):
    """Return the fields that are removed from a guest that sends these instead."""
    stats = {**HOST, **GUEST, **changed}
    return set(stats) - set(HOST) - set(guest_stats(stats))


def test_guest_that_fills_every_field_loses_none():
    assert guest_stats({**HOST, **GUEST, "last_update": 7}) == GUEST


@pytest.mark.parametrize("name", ["available", "unused", "disk_caches", "usable"])
def test_amount_of_zero_is_missing(name):
    assert name in missing(**{name: 0})


@pytest.mark.parametrize("name", ["unused", "disk_caches", "usable"])
def test_zero_amount_removes_no_other_field(name):
    assert missing(**{name: 0}) == {name}


@pytest.mark.parametrize("unused", [1, 400_000])
def test_usable_of_zero_is_true_for_a_guest_that_is_out_of_memory(unused):
    assert missing(usable=0, unused=unused) == set()


@pytest.mark.parametrize("unused", [0, 400_001])
def test_usable_of_zero_is_missing_where_there_is_free_memory_or_none_is_filled(unused):
    assert "usable" in missing(usable=0, unused=unused)


@pytest.mark.parametrize("other", [{"available": 4_000_000}, {"unused": 400}, {}])
def test_usable_of_zero_is_missing_if_there_is_nothing_to_compare_it_with(other):
    assert guest_stats({**other, "usable": 0}) == other


def test_usable_may_be_below_unused():
    # Linux reserves some free memory for the kernel; seen from Linux 6.12 on.
    assert missing(unused=2_300_000, usable=2_200_000) == set()


def test_counters_of_zero_are_missing_in_a_driver_that_does_not_count():
    assert missing(**dict.fromkeys(COUNTERS, 0)) == set(COUNTERS)


def test_counter_that_counts_is_kept_in_any_driver():
    assert missing(minor_fault=0, major_fault=0) == {"minor_fault", "major_fault"}


def test_counters_of_zero_are_true_where_minor_faults_are_counted():
    assert missing(swap_in=0, swap_out=0, major_fault=0, minor_fault=1) == set()


@pytest.mark.parametrize("name", ["unused", "usable"])
def test_amount_that_repeats_the_total_is_missing(name):
    assert missing(**{name: GUEST["available"]}) == {name}


def test_usable_that_repeats_unused_is_missing():
    # Nanos sends its free memory in both fields. This excludes the page cache, which Nanos sends in
    # its own field.
    assert missing(usable=GUEST["unused"]) == {"usable"}


@pytest.mark.parametrize("name", ["unused", "usable"])
def test_disk_caches_that_repeat_another_amount_are_missing(name):
    assert missing(disk_caches=GUEST[name]) == {"disk_caches"}


def test_disk_caches_and_unused_may_fill_the_total():
    assert missing(disk_caches=3_000_000) == set()


@pytest.mark.parametrize("cached", [3_000_001, 4_000_000, 4_000_001, -1, 2**54 - 1])
def test_disk_caches_that_contradict_the_rest_are_missing_alone(cached):
    assert missing(disk_caches=cached) == {"disk_caches"}


def test_unused_that_is_not_filled_says_nothing_about_disk_caches():
    assert missing(unused=4_000_000) == {"unused"}


def test_disk_caches_without_a_total_are_missing():
    assert guest_stats({"disk_caches": 1}) == {}


@pytest.mark.parametrize("available", [1_398_101, 65_536, 1])
def test_total_far_below_what_the_guest_has_is_missing(available):
    assert "available" in missing(available=available, unused=0, usable=0)


def test_total_of_a_third_of_the_memory_is_possible():
    assert missing(available=1_300_000, actual=3_900_000, disk_caches=1) == set()


def test_total_that_shrinks_with_the_balloon_is_compared_with_what_that_leaves():
    small = {"actual": GIB, "available": 900_000, "unused": 600_000, "usable": 700_000}
    assert missing(**small, disk_caches=1) == set()


@pytest.mark.parametrize("actual", [4 * GIB + 1, -1, 2**54])
def test_total_is_not_compared_with_an_impossible_balloon(actual):
    assert missing(actual=actual, available=65_536, disk_caches=1, unused=2, usable=3) == set()


def test_total_that_a_32_bit_service_cannot_count_is_missing():
    # virtio-win issue 11, in KiB.
    stats = {"available": 2047 * 1024, "unused": 2047 * 1024, "actual": 10140 * 1024}
    assert guest_stats({**stats, "maximum": 10240 * 1024}) == {}


@pytest.mark.parametrize("name", [*COUNTERS, "hugetlb_pgfail", "oom_kill"])
@pytest.mark.parametrize("value", [-1, ABSURD, 2**54 - 4])
def test_impossible_count_is_missing_alone(name, value):
    # A Windows service that cannot read a counter sends -1 times the page size.
    assert missing(**{name: value}) == {name}


def test_largest_count_is_kept():
    assert missing(minor_fault=ABSURD - 1) == set()


def test_amounts_that_contradict_each_other_are_kept_for_the_verdict():
    assert missing(available=2**54, usable=5_000_000, unused=-1) == set()


@pytest.mark.parametrize("name", HOST)
@pytest.mark.parametrize("value", [0, -1, ABSURD])
def test_impossible_host_statistic_is_missing(name, value):
    assert name not in host_stats({**HOST, name: value}, balloon=True)


@pytest.mark.parametrize("value", [1, ABSURD - 1])
def test_possible_host_statistic_is_kept(value):
    assert host_stats({"rss": value}, balloon=True) == {"rss": value}


def test_rss_above_the_guests_memory_is_possible():
    assert host_stats({**HOST, "rss": 5 * GIB}, balloon=True)["rss"] == 5 * GIB


def test_balloon_that_leaves_all_is_kept():
    assert host_stats(HOST, balloon=True) == HOST


def test_domain_without_a_balloon_device_has_no_actual():
    assert host_stats(HOST, balloon=False) == {"maximum": 4 * GIB, "rss": 3 * GIB}


@pytest.mark.parametrize("value", [1, -1, 2**54])
def test_any_nonzero_guest_statistic_is_a_number(value):
    assert has_number({**HOST, "last_update": 7, "swap_in": 0, "unused": value})


def test_zeros_and_host_statistics_are_no_guest_number():
    assert not has_number({**HOST, "last_update": 7, "swap_in": 0, "unused": 0})


@pytest.mark.parametrize("maximum", [4_000_000, ABSURD - 1])
def test_total_up_to_the_maximum_is_plausible(maximum):
    assert is_plausible(GUEST, maximum)


@pytest.mark.parametrize("maximum", [None, 3_999_999, 0, ABSURD])
def test_total_above_the_maximum_or_without_a_maximum_is_implausible(maximum):
    assert not is_plausible(GUEST, maximum)


@pytest.mark.parametrize("name", ["unused", "usable"])
def test_parts_lie_between_zero_and_the_total(name):
    found = {n: is_plausible({**GUEST, name: n}, 4 * GIB) for n in (-1, 0, 4_000_000, 4_000_001)}
    assert found == {-1: False, 0: True, 4_000_000: True, 4_000_001: False}


def test_total_alone_is_plausible():
    assert is_plausible({"available": 1}, 1)


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.integers(0, 10)


@given(st.dictionaries(st.sampled_from(sorted({*HOST, *GUEST})), NUMBERS))
def test_result_has_only_sent_values_and_no_zero_amounts(stats):
    found = guest_stats(stats)
    assert found.items() <= stats.items()
    zeros = {name for name, value in found.items() if value == 0}
    assert zeros <= {*COUNTERS, "hugetlb_pgalloc", "hugetlb_pgfail", "usable"}
