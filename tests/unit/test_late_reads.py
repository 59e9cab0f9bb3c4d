# SPDX-License-Identifier: Apache-2.0
"""What happens to late reads: they are kept or left, and never stay open."""

import math

import pytest

from ceilometer_memballoon.cycle_clock import CycleClock
from ceilometer_memballoon.errors import NoAnswerError, UnreachableError
from ceilometer_memballoon.findings import Findings
from ceilometer_memballoon.late_reads import LateReads
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Outcome
from ceilometer_memballoon.trouble import Trouble
from tests.unit.fake_host import Clock, FakeHost, FakeProcesses, Guest
from tests.unit.simulated import Node, guests, uuids


class Late:
    """One guest that hangs, and its late read in a pass of 4 seconds."""

    def __init__(self, until=math.inf):
        self.clock = Clock()
        self.guest = Guest("a")
        self.guest.hang(self.clock(), self.clock() + until)
        host = FakeHost(self.clock, self.guest)
        begun = self.clock()
        clock = CycleClock(begun, begun + 4, begun + 5, 2.0, self.clock)
        self.trouble = Trouble(host, FakeProcesses(host, visible=False), 4)
        self.pace = Pace()
        self.found = {one.boot: one for one in host.list_domains(1.0)}
        findings = Findings(self.pace, self.trouble, ProblemLog(), clock, self.found)
        self.read = host.start_read(findings.records, 0, 1.0)
        findings.begun[self.read] = self.clock()
        self.trouble.park(self.read, begun, 1.0)
        self.late_reads = LateReads(self.trouble, self.pace, findings, clock)

    @property
    def outcome(self):
        (found,) = self.found.values()
        return found.outcome


def test_wait_for_a_late_read_ends_when_its_qemu_counts_as_hung():
    late = Late()
    begun = late.clock()
    assert late.late_reads.wait() is False
    assert late.clock() - begun == pytest.approx(late.pace.hung_after, abs=0.1)


def test_late_read_that_returns_is_kept():
    late = Late(until=0.4)
    assert (late.late_reads.wait(), late.outcome) == (True, Outcome.READ)


def test_guest_whose_read_is_left_after_it_counts_as_hung_is_not_responding():
    late = Late()
    late.clock.sleep(late.pace.hung_after)
    late.late_reads.leave()
    assert (late.outcome, late.trouble.hung) == (Outcome.NOT_RESPONDING, {("a", 1)})


def test_guest_whose_read_is_left_earlier_is_only_not_asked():
    late = Late()
    late.clock.sleep(late.pace.hung_after - 0.1)
    late.late_reads.leave()
    assert (late.outcome, late.trouble.hung) == (Outcome.NOT_ASKED, set())


def test_read_that_returned_before_it_is_left_is_closed():
    late = Late(until=0.4)
    late.clock.sleep(0.5)
    late.late_reads.leave()
    assert (late.read.closed, late.trouble.parked) == (True, {})


def test_late_read_of_an_earlier_pass_is_left_alone():
    late = Late(until=0.4)
    late.late_reads.findings.begun.clear()
    late.clock.sleep(0.5)
    assert late.late_reads.wait() is False
    late.late_reads.leave()
    assert list(late.trouble.parked) == [late.read]


def test_no_parked_read_is_left_open():
    node = Node(*guests(20), visible=False)
    node.hang(*node.guests[3:9], until=node.clock() + 25)
    for _ in range(6):
        node.cycle()
    assert any(read.parked for read in node.host.reads)
    assert node.host.left_open == []


def test_read_that_was_parked_when_libvirtd_died_is_not_left_open():
    node = Node(*guests(3), visible=False)
    node.cycle()
    node.hang(node.guests[0])
    monitors = node.host.monitors

    def die(*arguments):
        node.host.broken = UnreachableError("gone")
        return monitors(*arguments)

    node.host.monitors = die
    with pytest.raises(NoAnswerError):
        node.cycle()
    assert node.host.left_open == []


def test_late_read_that_returns_within_its_cycle_is_closed():
    node = Node(*guests(3), visible=False)
    node.cycle()
    node.hang(node.guests[0], until=node.clock() + 0.4)
    assert node.read() == uuids(node.guests)
    assert [read.closed for read in node.host.reads if read.parked] == [True]


def test_late_read_that_has_returned_when_libvirtd_died_is_closed():
    node = Node(*guests(3), visible=False)
    node.cycle()
    node.hang(node.guests[0], until=node.clock() + 0.4)

    def die(records, seconds):
        node.clock.sleep(1)
        raise UnreachableError("gone")

    node.host.monitors = die
    with pytest.raises(NoAnswerError):
        node.cycle()
    assert [read.closed for read in node.host.reads if read.parked] == [True]


def test_second_read_that_gets_stuck_is_not_left_open():
    node = Node(*guests(3), visible=False)
    records = node.reader.read().records
    node.hang(node.guests[0])
    node.reader.read_again(list(records.values()), node.clock() + 1)
    assert any(read.parked for read in node.host.reads)
    assert node.host.left_open == []
