# SPDX-License-Identifier: Apache-2.0
"""How long the plugin waits for guests that were just enabled."""

import pytest

from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.first_report import FirstReport
from ceilometer_memballoon.history import History
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from tests.unit import recorded
from tests.unit.fake_host import Clock
from tests.unit.fake_reader import FakeReader, record
from tests.unit.test_history import Processes
from tests.unit.test_period_keeper import FakeHost

SILENT = {uuid: record(uuid, recorded.NO_DRIVER) for uuid in "ab"}


class Wait:
    """A wait for both guests. again: what further reads return in turn."""

    def __init__(self, *again, seconds=5.0):
        clock = Clock()
        reader = FakeReader([], again=again)
        periods = PeriodKeeper(FakeHost(clock=clock), PeriodRule(0), clock)
        judge = Judge(periods, History(0, Processes()), lambda: recorded.LAST_UPDATE + 5)
        self.records = dict(SILENT)
        begun = clock()
        FirstReport(reader, judge, clock, clock.sleep).wait(
            self.records, set("ab"), begun + seconds
        )
        self.took = clock() - begun
        self.asked = [sorted(uuids) for uuids in reader.asked_again]


def test_each_guest_is_read_again_until_it_reports():
    wait = Wait([SILENT["a"], record("b")], [record("a")])
    assert wait.asked == [["a", "b"], ["a"]]
    assert wait.records == {"a": record("a"), "b": record("b")}


def test_guest_that_does_not_report_is_given_up_after_a_second():
    assert Wait().took == pytest.approx(1.0, abs=0.15)


def test_wait_ends_with_the_cycle():
    assert Wait(seconds=0.35).took == pytest.approx(0.4, abs=0.01)


def test_missing_answer_of_libvirt_ends_the_wait():
    wait = Wait([record("a")], NoAnswerError("gone"))
    assert (wait.asked, wait.records["a"]) == ([["a", "b"], ["b"]], record("a"))
