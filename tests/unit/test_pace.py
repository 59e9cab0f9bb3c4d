# SPDX-License-Identifier: Apache-2.0
"""What follows from the speed of a host's guests."""

import pytest

from ceilometer_memballoon.pace import MOST_DOMAINS, Pace


def pace_after(*reads):
    pace = Pace()
    for seconds, domains in reads:
        pace.learn(seconds, domains)
    return pace


def test_usual_length_is_unknown_before_the_first_read():
    assert Pace().usual is None


def test_first_read_asks_for_one_domain():
    assert Pace().group == 1


def test_reads_of_a_fast_host_grow_to_the_most():
    pace, groups = Pace(), []
    for _ in range(7):
        groups.append(pace.group)
        pace.learn(0.001 * pace.group, pace.group)
    assert groups == [1, 2, 4, 8, 16, 32, 32]


def test_reads_of_a_slow_host_stay_short():
    pace = pace_after(*[(0.1, 1)] * 10)
    assert pace.group == 5


def test_reads_of_a_very_slow_host_ask_for_one_domain():
    assert pace_after((3, 1), (3, 1)).group == 1


def test_instant_reads_ask_for_the_maximum_of_domains():
    assert pace_after(*[(0.0, 1)] * 10).group == MOST_DOMAINS


def test_usual_length_is_that_of_one_domain():
    assert pace_after((1.6, 16)).usual == pytest.approx(0.1)


def test_one_guest_that_hung_changes_nothing():
    assert pace_after(*[(0.001, 1)] * 8, (60, 1)).usual == 0.001


def test_old_reads_are_forgotten():
    assert pace_after(*[(0.4, 1)] * 30, *[(0.001, 1)] * 8).usual == 0.001


def test_unknown_host_is_given_time_before_a_qemu_counts_as_hung():
    assert Pace().hung_after == 1.0


def test_qemu_of_a_fast_host_counts_as_hung_sooner():
    assert pace_after((0.001, 1)).hung_after == 0.5


def test_qemu_of_a_slow_host_counts_as_hung_later():
    assert pace_after((0.4, 1)).hung_after == pytest.approx(8)


def test_late_answer_gives_the_other_guests_more_time():
    pace = pace_after((0.001, 1))
    pace.note_late(0.4)
    assert pace.hung_after == pytest.approx(1.2)


def test_late_answer_counts_for_its_own_cycle_alone():
    pace = pace_after((0.001, 1))
    pace.note_late(0.4)
    pace.begin_cycle()
    assert pace.hung_after == 0.5


def test_late_answer_makes_the_next_read_ask_for_one_domain():
    pace = pace_after(*[(0.001, 1)] * 6)
    pace.note_late(0.4)
    assert pace.group == 1


def test_read_of_a_fast_host_is_late_after_a_quarter_of_a_second():
    assert pace_after((0.001, 1)).late_after(16) == 0.25


def test_read_of_a_slow_host_is_late_after_four_times_its_usual_length():
    assert pace_after((0.1, 1)).late_after(5) == pytest.approx(2)


def test_read_of_an_unknown_host_is_late_after_a_quarter_of_a_second():
    assert Pace().late_after(1) == 0.25
