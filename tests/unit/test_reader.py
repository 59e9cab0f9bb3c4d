# SPDX-License-Identifier: Apache-2.0
"""Whole cycles on a simulated host: who is read, who is not, why, and how long it takes."""

import pytest

from ceilometer_memballoon.errors import StoppedError, UnreachableError
from ceilometer_memballoon.record import Hold, Outcome
from tests.unit.simulated import TIMEOUT, Node, die_at_read, guests, only, uuids


def test_every_healthy_guest_is_read():
    node = Node(*guests(40))
    assert node.cycle() == dict.fromkeys(uuids(node.guests), Outcome.READ)


def test_host_without_guests_is_no_error():
    assert Node().cycle() == {}


def test_one_hung_guest_costs_no_other_its_sample():
    node = Node(*guests(20))
    node.cycle()
    node.hang(node.guests[7])
    assert node.read() == uuids(node.guests) - {"g007"}


def test_hung_guest_is_not_responding():
    node = Node(*guests(20))
    node.cycle()
    node.hang(node.guests[7])
    assert node.cycle()["g007"] is Outcome.NOT_RESPONDING


@pytest.mark.parametrize("visible", [True, False])
def test_first_cycle_with_one_hung_guest_takes_at_most_a_second_more(visible):
    node = Node(*guests(20), visible=visible)
    node.cycle()
    node.cycle()
    normal = node.took
    node.hang(node.guests[7])
    node.cycle()
    assert node.took - normal <= 1.0


def test_later_cycles_with_one_hung_guest_take_no_longer_than_usual():
    node = Node(*guests(20), visible=False)
    node.cycle()
    node.hang(node.guests[7])
    node.cycle()
    node.cycle()
    assert node.took < 0.1


def test_hung_guest_is_not_asked_again():
    node = Node(*guests(20), visible=False)
    node.hang(node.guests[7])
    for _ in range(5):
        node.cycle()
    assert node.guests[7].reads == 1


@pytest.mark.parametrize("visible", [True, False])
def test_recovered_guest_is_read_while_its_read_is_stuck_at_the_next_guest(visible):
    node = Node(*guests(3), visible=visible)
    node.cycle()
    node.cycle()
    first, second, third = node.guests
    node.hang(first)
    node.cycle()
    # The read of all three guests still waits for the first one.
    node.hang(second)
    node.cycle()
    node.recover(first)
    assert node.read() == {first.uuid, third.uuid}


@pytest.mark.parametrize("visible", [True, False])
def test_guest_that_a_late_read_asks_for_a_moment_is_read_in_that_cycle(visible):
    node = Node(*guests(4), visible=visible)
    node.cycle()
    node.cycle()
    node.cycle()
    first, second, third, fourth = node.guests
    node.hang(first)
    node.cycle()
    node.hang(third)
    node.cycle()
    # The late read now asks the second guest, for 20 ms, and then gets stuck at the third one.
    first.recover(node.clock())
    second.seconds = 0.02
    assert node.read() == {first.uuid, second.uuid, fourth.uuid}


@pytest.mark.parametrize("visible", [True, False])
def test_guest_that_has_recovered_is_read_in_the_next_cycle(visible):
    node = Node(*guests(20), visible=visible)
    node.hang(node.guests[7])
    node.cycle()
    node.recover(node.guests[7])
    assert node.read() == uuids(node.guests)


def test_trouble_is_over_once_all_guests_answer():
    node = Node(*guests(5))
    node.hang(node.guests[1])
    node.cycle()
    node.recover(node.guests[1])
    node.cycle()
    node.host.asked_for_monitors = 0
    node.cycle()
    assert node.host.asked_for_monitors == 0


@pytest.mark.parametrize(("count", "hung"), [(12, 7), (26, 24), (100, 60)])
def test_outage_costs_no_healthy_guest_its_sample_where_proc_shows_qemu(count, hung):
    node = Node(*guests(count))
    node.cycle()
    node.hang(*node.guests[:hung])
    outcomes = node.cycle()
    assert only(Outcome.READ, outcomes) == uuids(node.guests[hung:])
    assert only(Outcome.NOT_RESPONDING, outcomes) == uuids(node.guests[:hung])


@pytest.mark.parametrize(("count", "hung"), [(12, 7), (26, 24), (100, 60)])
def test_outage_before_the_first_cycle_costs_no_healthy_guest_its_sample(count, hung):
    node = Node(*guests(count))
    node.host.is_connected = False
    node.hang(*node.guests[:hung])
    assert node.read() == uuids(node.guests[hung:])
    assert sum(not read.returned for read in node.host.reads) == 0


@pytest.mark.parametrize(("count", "hung"), [(12, 7), (26, 24)])
def test_outage_leaves_one_place_free_where_proc_does_not_show_qemu(count, hung):
    node = Node(*guests(count), visible=False)
    node.hang(*node.guests[-hung:])
    for _ in range(5):
        node.cycle()
    assert sum(not read.returned for read in node.host.reads) == 3


def test_guests_read_before_an_outage_are_still_reported_without_proc():
    node = Node(*guests(26), visible=False)
    node.hang(*node.guests[8:])
    first = node.read()
    assert first == uuids(node.guests[:8])
    assert [node.read() for _ in range(5)] == [first] * 5


def test_guests_that_were_not_asked_in_an_outage_have_that_reason():
    node = Node(*guests(12), visible=False)
    node.hang(*node.guests[5:])
    outcomes = node.cycle()
    assert len(only(Outcome.NOT_RESPONDING, outcomes)) == 3
    assert len(only(Outcome.NOT_ASKED, outcomes)) == 4


def test_guests_that_were_not_asked_are_asked_after_the_outage():
    node = Node(*guests(26), visible=False)
    node.hang(*node.guests[2:])
    node.cycle()
    node.recover(*node.guests)
    assert node.read() == uuids(node.guests)


def test_monitors_that_another_client_occupies_use_up_the_budget():
    node = Node(*guests(20))
    for guest in node.guests[:4]:
        guest.holds.append((node.clock() - 60, float("inf"), Hold.MONITOR))
    node.host.is_connected = False
    assert only(Outcome.NOT_ASKED, node.cycle()) == uuids(node.guests[4:])


def test_guests_are_asked_again_when_another_clients_calls_have_returned():
    node = Node(*guests(20))
    for guest in node.guests[:4]:
        guest.holds.append((node.clock() - 60, node.clock() + 5, Hold.MONITOR))
    node.host.is_connected = False
    node.cycle()
    assert node.read() == uuids(node.guests)


def test_guest_that_another_clients_call_hangs_at_is_not_responding():
    node = Node(*guests(5))
    node.cycle()
    node.guests[1].holds.append((node.clock() - 3, float("inf"), Hold.MONITOR))
    assert node.cycle()["g001"] is Outcome.NOT_RESPONDING


def test_guest_that_another_clients_call_hung_at_is_read_when_it_has_returned():
    node = Node(*guests(5))
    node.cycle()
    node.guests[1].holds.append((node.clock() - 3, node.clock() + 15, Hold.MONITOR))
    node.cycle()
    assert node.cycle()["g001"] is Outcome.NOT_RESPONDING
    assert node.cycle()["g001"] is Outcome.READ


def test_busy_guest_does_not_hide_what_occupies_other_guests():
    node = Node(*guests(20))
    for guest in node.guests[:3]:
        guest.holds.append((node.clock() - 60, float("inf"), Hold.MONITOR))
    node.guests[3].holds.append((node.clock() - 60, float("inf"), Hold.JOB))
    node.host.is_connected = False
    node.cycle()
    assert node.reader._trouble.stuck == 3


def test_guest_that_ends_while_it_hangs_is_forgotten():
    node = Node(*guests(3), visible=False)
    node.hang(node.guests[1])
    node.cycle()
    del node.host.guests["g001"]
    node.recover(node.guests[1])
    node.cycle()
    assert (node.read(), node.reader._trouble.since) == ({"g000", "g002"}, None)


@pytest.mark.parametrize("count", [10, 12, 30])
def test_guests_of_a_slow_host_take_turns(count):
    node = Node(*guests(count, seconds=0.4), timeout=2.0)
    node.cycle()
    seen = [node.read() for _ in range(12)]
    longest = -(-count // 3) + 1
    for start in range(12 - longest):
        assert set().union(*seen[start : start + longest]) == uuids(node.guests)


def test_guests_of_a_slow_host_take_turns_beside_a_hung_one():
    node = Node(*guests(12, seconds=0.4), timeout=2.0, visible=False)
    for _ in range(3):
        node.cycle()
    node.hang(node.guests[0])
    for _ in range(3):
        node.cycle()
    seen = [node.read() for _ in range(8)]
    assert set().union(*seen) == uuids(node.guests[1:])


def test_guest_whose_read_was_cut_off_is_read_in_a_cycle_that_follows_at_once():
    node = Node(*guests(12, seconds=0.45), timeout=2.0)
    for _ in range(4):
        node.cycle()
    node.reader.read()
    (cut_off,) = [uuid for read in node.reader._trouble.parked for uuid, _ in read.asked[0]]
    records = node.reader.read().records
    assert records[cut_off].is_read


def test_slow_guest_does_not_count_as_hung():
    node = Node(*guests(12, seconds=0.4), timeout=2.0)
    outcomes = [outcome for _ in range(8) for outcome in node.cycle().values()]
    assert Outcome.NOT_RESPONDING not in outcomes


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 3.5])
def test_paused_host_costs_no_guest_its_sample(seconds):
    node = Node(*guests(40), visible=False)
    node.cycle()
    node.hang(*node.guests, until=node.clock() + seconds)
    assert node.read() == uuids(node.guests)


@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.4, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("hung", [0, 1, 12])
@pytest.mark.parametrize("visible", [True, False])
def test_no_cycle_takes_longer_than_its_share(seconds, hung, visible):
    node = Node(*guests(30, seconds=seconds), visible=visible)
    for number in range(8):
        if number == 2:
            node.hang(*node.guests[5 : 5 + hung])
        node.cycle()
        assert node.took <= 0.9 * TIMEOUT


def test_slow_libvirtd_makes_no_cycle_longer(monkeypatch):
    monkeypatch.setattr("tests.unit.fake_host.DAEMON_SECONDS", 0.9)
    node = Node(*guests(30), visible=False)
    node.hang(*node.guests[5:20])
    for _ in range(5):
        node.cycle()
        assert node.took <= TIMEOUT


def test_dead_libvirtd_raises_no_answer():
    node = Node(*guests(3))
    node.host.broken = UnreachableError("gone")
    with pytest.raises(UnreachableError):
        node.cycle()


def test_libvirtd_that_dies_before_anything_was_read_is_no_answer():
    node = Node(*guests(3))
    start = node.host.start_read

    def die(*arguments):
        node.host.broken = UnreachableError("gone")
        return start(*arguments)

    node.host.start_read = die
    with pytest.raises(UnreachableError):
        node.cycle()


def test_what_was_read_before_libvirtd_died_is_kept():
    node = Node(*guests(3))
    die_at_read(node, 2)
    outcomes = node.cycle()
    assert sorted(o.name for o in outcomes.values()) == ["NOT_ASKED", "NOT_ASKED", "READ"]


def test_ending_process_reads_no_further():
    node = Node(*guests(3))
    node.cycle()
    node.host.broken = StoppedError("ending")
    with pytest.raises(StoppedError):
        node.cycle()


def test_second_read_ends_in_time():
    node = Node(*guests(3), visible=False)
    records = node.reader.read().records
    node.hang(*node.guests)
    end = node.clock() + 1
    node.reader.read_again(list(records.values()), end)
    assert node.clock() <= end + 0.1


def test_second_read_gives_those_that_answered():
    node = Node(*guests(3), visible=False)
    records = node.reader.read().records
    node.hang(node.guests[0])
    again = node.reader.read_again(list(records.values()), node.clock() + 2)
    assert {record.uuid for record in again} == {"g001", "g002"}


def test_second_read_leaves_out_a_guest_that_has_ended():
    node = Node(*guests(3))
    records = node.reader.read().records
    del node.host.guests["g001"]
    again = node.reader.read_again(list(records.values()), node.clock() + 2)
    assert {record.uuid for record in again} == {"g000", "g002"}


def test_long_hangs_do_not_change_the_pace():
    node = Node(*guests(3), visible=False)
    node.cycle()
    for _ in range(8):
        node.hang(*node.guests)
        node.cycle()
        node.clock.now += 3600
        node.recover(*node.guests)
        assert all(read.returned for read in node.host.reads)
    node.cycle()
    assert node.reader._pace.usual < 0.1


def test_ten_outages_leave_no_read_open_and_every_guest_reported():
    node = Node(*guests(12), visible=False)
    for _ in range(10):
        node.hang(*node.guests[:7])
        node.cycle()
        node.cycle()
        node.recover(*node.guests)
        assert node.read() == uuids(node.guests)
    assert node.host.left_open == []
    assert node.reader._trouble.parked == {}
