# SPDX-License-Identifier: Apache-2.0
"""What is known of hung guests when libvirt answers only for some."""

from types import SimpleNamespace

from ceilometer_memballoon.record import Hold, Monitor, Record
from ceilometer_memballoon.trouble import Trouble

HELD = Monitor(Hold.MONITOR, 60)
FREE = Monitor(Hold.NOTHING, 0)
A, B = Record("a", 1, "a"), Record("b", 2, "b")


class SimpleRead:
    """A late read. asked: the boots of each of its calls."""

    def __init__(self, records, asked):
        self.records = records
        self.asked = asked

    def park(self):
        pass


def trouble_over(*answers):
    """Return a Trouble that gets these answers about monitors in turn, each a dict by boot."""
    left = list(answers)
    host = SimpleNamespace(monitors=lambda records, seconds: left.pop(0))
    trouble = Trouble(host, SimpleNamespace(halted=lambda uuids: set()), most_stuck=4)
    for _ in answers:
        trouble.examine([A, B], hung_after=1.0, seconds=1.0)
    return trouble


def test_guest_without_an_answer_in_time_keeps_its_state():
    trouble = trouble_over({A.boot: HELD, B.boot: HELD}, {A.boot: FREE})
    assert (trouble.hung, trouble.occupied) == ({B.boot}, {B.boot})


def test_guest_of_unknown_state_does_not_count_as_hung():
    trouble = trouble_over({A.boot: HELD}, {A.boot: Monitor(Hold.UNKNOWN, 0)})
    assert (trouble.hung, trouble.occupied) == (set(), set())


def test_second_call_of_a_read_that_gets_stuck_later_counts_too():
    answers = [{A.boot: HELD, B.boot: FREE}, {A.boot: HELD, B.boot: HELD}]
    host = SimpleNamespace(monitors=lambda records, seconds: answers.pop(0))
    trouble = Trouble(host, SimpleNamespace(halted=lambda uuids: set()), most_stuck=4)
    read = SimpleRead([A, B], [[A.boot], [B.boot]])
    trouble.park(read, 0.0, 1.0)
    assert trouble.parked[read] == {A.boot}
    trouble.examine([A, B], hung_after=100.0, seconds=1.0)
    assert (trouble.parked[read], trouble.stuck) == ({A.boot, B.boot}, 2)
