# SPDX-License-Identifier: Apache-2.0
"""The order and the groups in which one pass reads guests."""

from ceilometer_memballoon.cycle import Cycle
from ceilometer_memballoon.cycle_clock import CycleClock
from ceilometer_memballoon.findings import Findings
from ceilometer_memballoon.late_reads import LateReads
from ceilometer_memballoon.pace import MOST_DOMAINS, MOST_IN_CALL, Pace
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Hold, Outcome
from ceilometer_memballoon.trouble import Trouble
from tests.unit.fake_host import Clock, FakeHost, FakeProcesses
from tests.unit.simulated import Node, guests, only, uuids


def cycle_of(host, clock, trouble, group):
    """Return a pass over all guests of the host, in groups of this size."""
    pace = Pace()
    pace.group = group
    cycle_clock = CycleClock(clock(), clock() + 4, clock() + 5, 2.0, clock)
    found = {one.boot: one for one in host.list_domains(1.0)}
    findings = Findings(pace, trouble, ProblemLog(), cycle_clock, found)
    late_reads = LateReads(trouble, pace, findings, cycle_clock)
    return Cycle(host, pace, trouble, 0, cycle_clock, findings, late_reads, clock.sleep)


def test_proven_and_unproven_guests_are_not_asked_together():
    clock = Clock()
    host = FakeHost(clock, *guests(4))
    trouble = Trouble(host, FakeProcesses(host), 4)
    trouble.begin(clock())
    cycle = cycle_of(host, clock, trouble, group=16)
    for one in cycle.findings.records[:2]:
        trouble.note_answer(one.boot, clock())
    cycle.read(cycle.findings.records)
    asked = [[one.uuid for one in read.records] for read in host.reads]
    assert asked == [["g002", "g003"], ["g000", "g001"]]


def test_guests_are_asked_together_while_nothing_hangs():
    clock = Clock()
    host = FakeHost(clock, *guests(4))
    cycle = cycle_of(host, clock, Trouble(host, FakeProcesses(host), 4), group=16)
    cycle.read(cycle.findings.records)
    assert [len(read.records) for read in host.reads] == [4]


def test_healthy_guests_are_read_in_few_groups():
    node = Node(*guests(160))
    node.cycle()
    before = len(node.host.reads)
    node.cycle()
    assert len(node.host.reads) - before == 160 // MOST_DOMAINS


def test_only_guests_before_a_hung_one_in_its_own_call_have_answered():
    clock = Clock()
    some = guests(MOST_DOMAINS)
    some[MOST_IN_CALL + 2].hang(clock())
    host = FakeHost(clock, *some)
    trouble = Trouble(host, FakeProcesses(host), 4)
    cycle = cycle_of(host, clock, trouble, group=MOST_DOMAINS)
    noted = []
    trouble.note_answer = lambda boot, now: noted.append(boot[0])
    read = host.start_read(cycle.findings.records, 0, 1.0)
    assert not read.wait(1.0)
    trouble.park(read, clock(), 1.0)
    cycle._note_answered(read)
    assert noted == [some[MOST_IN_CALL].uuid, some[MOST_IN_CALL + 1].uuid]


def test_monitors_are_not_examined_without_trouble():
    node = Node(*guests(20))
    node.cycle()
    node.cycle()
    assert node.host.asked_for_monitors == 0


def test_guest_with_a_long_job_is_busy_and_costs_no_other_its_sample():
    node = Node(*guests(20))
    node.guests[3].holds.append((0, float("inf"), Hold.JOB))
    outcomes = node.cycle()
    assert (outcomes["g003"], len(only(Outcome.READ, outcomes))) == (Outcome.BUSY, 19)


def test_guest_with_a_short_job_is_read_after_it():
    node = Node(*guests(3))
    node.guests[1].holds.append((0, node.clock() + 0.1, Hold.JOB))
    assert node.read() == uuids(node.guests)


def test_guest_that_was_busy_for_all_of_a_cycle_is_not_waited_for_in_the_next():
    node = Node(*guests(3))
    node.guests[1].holds.append((0, float("inf"), Hold.JOB))
    node.cycle()
    node.cycle()
    assert node.took < 0.1


def test_guest_is_read_once_its_long_job_is_over():
    node = Node(*guests(3))
    node.guests[1].holds.append((0, node.clock() + 5, Hold.JOB))
    node.cycle()
    assert node.read() == uuids(node.guests)


def test_read_cut_by_the_end_of_the_cycle_is_no_hang():
    node = Node(*guests(12, seconds=0.45), timeout=2.0)
    for _ in range(4):
        node.cycle()
    node.host.asked_for_monitors = 0
    node.cycle()
    assert node.reader._trouble.since is None
