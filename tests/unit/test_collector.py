# SPDX-License-Identifier: Apache-2.0
"""One polling cycle, with stand-ins for the reader and the host."""

import logging
import threading

import pytest

from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.errors import (
    DeadlineError,
    NoAnswerError,
    TooManyStuckCallsError,
    WriteRefusedError,
)
from ceilometer_memballoon.history import History
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.reasons import Reason
from ceilometer_memballoon.record import Outcome
from tests.unit import recorded
from tests.unit.fake_host import Clock
from tests.unit.fake_reader import FakeReader, record, unread
from tests.unit.test_history import Processes
from tests.unit.test_period_keeper import FakeHost, balloon

NOW = recorded.LAST_UPDATE + 5
RULE = PeriodRule(10)
TIMEOUT = 5.0


class Node:
    """A collector over these reads. period: the guests' own; rule: the configuration's."""

    def __init__(self, *reads, again=(), period=10, rule=RULE, boot_seconds=0, **starts):
        self.now = NOW
        self.clock = Clock()
        self.reader = FakeReader(*reads, again=again)
        self.host = FakeHost(clock=self.clock)
        self.host.balloons = _Every(balloon(period))
        periods = PeriodKeeper(self.host, rule, self.clock)
        history = History(boot_seconds, Processes(**starts))
        judge = Judge(periods, history, lambda: self.now)
        self.collector = Collector(
            self.reader, periods, judge, TIMEOUT, self.clock, self.clock.sleep
        )

    def readings(self, instances=()):
        """Return those of a cycle of its own."""
        self.clock.sleep(0.001)
        return self.collector.readings({}, instances)

    def reasons(self, instances=()):
        return {uuid: reading.reason for uuid, reading in self.readings(instances).items()}

    def wait(self, seconds):
        self.now += seconds
        self.clock.now += seconds


class _Every(dict):
    """The same balloon for each domain."""

    def __init__(self, value):
        super().__init__()
        self._value = value

    def __missing__(self, uuid):
        return self._value


def test_pollsters_of_one_cycle_share_one_read():
    node, cache = Node([record("a")]), {}
    first = node.collector.readings(cache, ["a"])
    assert node.collector.readings(cache, ["a"]) is first
    assert node.reader.read_count == 1


def test_parallel_pollsters_of_one_cycle_share_one_read():
    node, cache = Node([record("a")]), {}
    threads = [
        threading.Thread(target=node.collector.readings, args=(cache, ["a"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert node.reader.read_count == 1


def test_each_cycle_reads_anew():
    node = Node([record("a")])
    node.readings()
    node.wait(10)
    node.readings()
    assert node.reader.read_count == 2


def test_every_running_domain_has_a_reading():
    node = Node([record("running"), record("driverless", recorded.NO_DRIVER)])
    assert node.reasons() == {"running": None, "driverless": Reason.NO_GUEST_DRIVER}


def test_instance_without_a_running_domain_is_gone():
    assert Node([record("a")]).reasons(["a", "b"]) == {"a": None, "b": Reason.GONE}


def test_no_answer_from_libvirt_gives_no_readings():
    assert Node(DeadlineError("no answer within 5 s")).readings(["a"]) == {}


def test_silence_of_libvirt_is_logged_once_and_its_end_too(caplog):
    caplog.set_level(logging.INFO)
    silent = TooManyStuckCallsError("4 calls to libvirt are stuck")
    node = Node(silent, silent, [record("a")])
    for _ in range(3):
        node.readings(["a"])
        node.wait(10)
    assert caplog.messages == [
        "No statistics from libvirt: 4 calls to libvirt are stuck",
        "libvirt gives statistics again.",
    ]


def test_error_reaches_every_pollster_of_the_cycle():
    node, cache = Node(ZeroDivisionError()), {}
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            node.collector.readings(cache, ["a"])


def test_guest_that_was_not_read_costs_no_other_its_reading():
    node = Node([unread("a", Outcome.BUSY), record("b")])
    assert node.reasons() == {"a": Reason.BUSY, "b": None}


@pytest.mark.parametrize("outcome", [Outcome.BUSY, Outcome.NOT_RESPONDING, Outcome.NOT_ASKED])
def test_guest_that_is_not_read_is_not_asked_for_its_xml(outcome):
    node = Node([unread("a", outcome)])
    node.readings()
    assert node.host.asked == []


def test_enabled_guest_is_read_again_until_it_answers():
    silent = [record("a", recorded.NO_DRIVER)]
    node = Node(silent, again=[silent, [record("a")]], period=None)
    assert node.reasons() == {"a": None}
    assert len(node.reader.asked_again) == 2


def test_wait_for_enabled_guests_ends_with_the_cycle():
    node = Node([record("a", recorded.NO_DRIVER)], period=None)
    node.host.costs = {"set": TIMEOUT - 0.3}
    begun = node.clock()
    node.readings()
    assert node.clock() - begun <= TIMEOUT + 0.1


def test_enabled_guest_with_fresh_statistics_is_not_read_again():
    node = Node([record("a")], period=None)
    node.readings()
    assert (node.host.written, node.reader.asked_again) == ([("a", 10)], [])


def test_silence_of_libvirt_at_a_second_read_costs_no_reading():
    silent = [record("a", recorded.NO_DRIVER), record("b")]
    node = Node(silent, again=[NoAnswerError("gone")], period=None)
    assert node.reasons() == {"a": Reason.NO_GUEST_DRIVER, "b": None}


def test_command_waits_for_the_enabled_guest():
    silent = record("a", recorded.NO_DRIVER)
    node = Node([silent], again=[[silent], [record("a")]], rule=PeriodRule(0))
    node.collector.observe(enable=False)
    assert node.collector.wait_for_answer(silent) is True


def test_command_waits_at_most_a_second_for_an_answer():
    silent = record("a", recorded.NO_DRIVER)
    node = Node([silent], rule=PeriodRule(0))
    node.collector.observe(enable=False)
    assert node.collector.wait_for_answer(silent) is False


def test_command_that_only_lists_sets_no_period():
    node = Node([record("a")], period=None)
    node.collector.observe(enable=False)
    assert node.host.written == []


def test_observation_has_the_domains_balloon():
    (seen,) = Node([record("a")], period=60).collector.observe(enable=False)
    assert (seen.balloon.model, seen.balloon.period) == ("virtio", 60)


def test_observation_of_a_domain_whose_xml_was_not_read_has_no_balloon():
    (seen,) = Node([unread("a", Outcome.BUSY)]).collector.observe(enable=False)
    assert seen.balloon is None


@pytest.mark.parametrize(("interval", "phase"), [(60, 10), (60, 40), (20, 5), (300, 45)])
@pytest.mark.parametrize("chosen", [True, False])
def test_guest_with_novas_period_is_healthy_though_it_may_not_be_changed(interval, phase, chosen):
    node = Node([], period=60, rule=PeriodRule(10, chosen=chosen))
    node.host.failure["writer"] = WriteRefusedError("read-only")
    found = set()
    for number in range(12):
        node.now = NOW + 600 + phase + number * interval
        node.clock.now = 1000 + number * interval
        reported = int(node.now // 60 * 60)
        node.reader.reads = [[record("a", recorded.RUNNING | {"balloon.last-update": reported})]]
        found |= set(node.reasons(["a"]).values())
    assert found == {None}


@pytest.mark.parametrize("period", [2**31, 2**40])
def test_period_that_libvirt_does_not_take_costs_no_sample(period):
    node = Node([record("a")], period=None, rule=PeriodRule(period))
    assert (node.reasons(), node.host.written) == ({"a": None}, [])


@pytest.mark.parametrize("error", [OverflowError("too large"), ZeroDivisionError("odd")])
def test_one_domain_that_raises_costs_no_other_its_sample(error):
    node = Node([record("a"), record("b")], period=None)
    node.host.failure["set", "a"] = error
    assert (node.reasons(), node.host.written) == ({"a": None, "b": None}, [("b", 10)])


def test_reads_of_a_cycle_are_remembered_in_the_next():
    node = Node([record("a")], [record("a", recorded.NO_DRIVER)])
    node.readings()
    node.wait(300)
    assert node.reasons() == {"a": Reason.STALE}


def test_reason_is_logged_when_it_changes(caplog):
    caplog.set_level(logging.INFO)
    busy, running = [unread("a", Outcome.BUSY)], [record("a")]
    node = Node(busy, busy, running, running)
    for _ in range(4):
        node.readings(["a"])
    first, second = caplog.messages
    assert first.startswith("Instance a: no memory.usage: busy. ")
    assert second == "Instance a reports its memory again"


def test_domain_that_is_no_instance_is_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    Node([record("a", recorded.NO_DRIVER)]).readings([])
    assert caplog.messages == []
