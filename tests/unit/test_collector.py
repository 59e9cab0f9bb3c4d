# SPDX-License-Identifier: Apache-2.0
"""One polling cycle, over stand-ins for the reader and the host."""

import logging
import threading

import pytest
from oslo_config import cfg

from ceilometer_memballoon import collector as collector_module
from ceilometer_memballoon import opts
from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.errors import (
    DeadlineError,
    NoAnswerError,
    TooManyStuckCallsError,
    WriteRefusedError,
)
from ceilometer_memballoon.history import History
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.reader import Snapshot
from ceilometer_memballoon.reasons import Reason
from ceilometer_memballoon.record import Outcome, Record
from tests.unit import recorded
from tests.unit.fake_host import Clock
from tests.unit.test_history import Processes
from tests.unit.test_period_keeper import FakeHost, balloon

NOW = recorded.LAST_UPDATE + 5
RULE = PeriodRule(10)
TIMEOUT = 5.0


def record(uuid, fields=recorded.RUNNING, outcome=Outcome.READ, **changed):
    return Record(uuid, 1, uuid, outcome=outcome, fields=fields, **changed)


def unread(uuid, outcome):
    return record(uuid, {}, outcome)


class FakeReader:
    """Gives the reads in turn, the last one again and again; errors are raised.

    again: what further reads of a cycle give in turn.
    """

    def __init__(self, *reads, again=()):
        self.reads = list(reads)
        self.again = list(again)
        self.read_count = 0
        self.asked_again = []

    def read(self, groups):
        self.read_count += 1
        read = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        return Snapshot({one.uuid: one for one in _give(read)}, groups, 0.0)

    def read_again(self, records, end):
        self.asked_again.append([one.uuid for one in records])
        return _give(self.again.pop(0)) if self.again else list(records)


def _give(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer


class Node:
    """A collector over these reads. period: the guests' own; rule: the configuration's."""

    def __init__(self, *reads, again=(), period=10, rule=RULE, boot_seconds=0, **starts):
        self.now = NOW
        self.clock = Clock()
        self.reader = FakeReader(*reads, again=again)
        self.host = FakeHost(clock=self.clock)
        self.host.balloons = _Every(balloon(period))
        self.collector = Collector(
            self.reader,
            PeriodKeeper(self.host, rule, self.clock),
            History(boot_seconds, Processes(**starts)),
            TIMEOUT,
            clock=lambda: self.now,
            monotonic=self.clock,
            pause=self.clock.sleep,
        )

    def readings(self, instances=()):
        """Those of a cycle of its own."""
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


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.BUSY, Reason.BUSY),
        (Outcome.NOT_RESPONDING, Reason.NOT_RESPONDING),
        (Outcome.NOT_ASKED, Reason.NOT_ASKED),
        (Outcome.FAILED, Reason.READ_ERROR),
    ],
)
def test_guest_that_was_not_read_has_a_reason_and_the_others_are_read(outcome, reason):
    node = Node([unread("a", outcome), record("b")])
    assert node.reasons() == {"a": reason, "b": None}


@pytest.mark.parametrize("outcome", [Outcome.BUSY, Outcome.NOT_RESPONDING, Outcome.NOT_ASKED])
def test_age_of_a_guest_that_is_not_read_goes_on(outcome):
    node = Node([record("a")], [unread("a", outcome)])
    node.readings()
    node.wait(60)
    assert node.readings()["a"].age == 65


@pytest.mark.parametrize("outcome", [Outcome.BUSY, Outcome.NOT_RESPONDING, Outcome.NOT_ASKED])
def test_guest_that_is_not_read_is_not_asked_for_its_xml(outcome):
    node = Node([unread("a", outcome)])
    node.readings()
    assert node.host.asked == []


def test_guest_switched_on_is_read_again_until_it_answers():
    silent = [record("a", recorded.NO_DRIVER)]
    node = Node(silent, again=[silent, [record("a")]], period=None)
    assert node.reasons() == {"a": None}
    assert len(node.reader.asked_again) == 2


def test_guest_switched_on_in_vain_is_given_up_after_a_second():
    node = Node([record("a", recorded.NO_DRIVER)], period=None)
    begun = node.clock()
    assert node.reasons() == {"a": Reason.NO_GUEST_DRIVER}
    assert node.clock() - begun == pytest.approx(1.0, abs=0.15)


def test_waiting_for_guests_that_were_switched_on_ends_with_the_cycle():
    node = Node([record("a", recorded.NO_DRIVER)], period=None)
    node.host.costs = {"set": TIMEOUT - 0.3}
    begun = node.clock()
    node.readings()
    assert node.clock() - begun <= TIMEOUT + 0.1


def test_guest_with_fresh_statistics_is_switched_on_without_a_second_read():
    node = Node([record("a")], period=None)
    node.readings()
    assert (node.host.written, node.reader.asked_again) == ([("a", 10)], [])


def test_silence_of_libvirt_at_a_second_read_costs_no_reading():
    silent = [record("a", recorded.NO_DRIVER), record("b")]
    node = Node(silent, again=[NoAnswerError("gone")], period=None)
    assert node.reasons() == {"a": Reason.NO_GUEST_DRIVER, "b": None}


def test_guest_switched_on_by_the_command_is_waited_for():
    silent = record("a", recorded.NO_DRIVER)
    node = Node([silent], again=[[silent], [record("a")]], rule=PeriodRule(0))
    node.collector.observe(enable=False)
    assert node.collector.wait_for_answer(silent) is True


def test_guest_that_does_not_answer_the_command_is_waited_for_no_longer_than_a_second():
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


def test_guest_that_has_just_booted_is_booting():
    node = Node([record("a", recorded.NO_DRIVER)], boot_seconds=120, a=NOW - 60)
    assert node.reasons() == {"a": Reason.BOOTING}


def test_guest_that_has_reported_is_not_told_to_load_a_driver_after_its_reboot():
    node = Node([record("a")], [record("a", recorded.NO_DRIVER)])
    node.readings()
    node.wait(300)
    assert node.reasons()["a"] is not Reason.NO_GUEST_DRIVER


def test_reason_is_logged_when_it_changes(caplog):
    caplog.set_level(logging.INFO)
    driverless, running = [record("a", recorded.NO_DRIVER)], [record("a")]
    node = Node(driverless, driverless, running, running)
    for _ in range(4):
        node.readings(["a"])
    first, second = caplog.messages
    assert first.startswith("Instance a: no memory.usage: no guest driver. The guest has")
    assert second == "Instance a reports its memory again"


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.NOT_ASKED, "DEBUG"),
        (Outcome.BUSY, "INFO"),
        (Outcome.NOT_RESPONDING, "WARNING"),
    ],
)
def test_reason_has_a_level(caplog, outcome, level):
    caplog.set_level(logging.DEBUG)
    Node([unread("a", outcome)]).readings(["a"])
    assert [r.levelname for r in caplog.records] == [level]


def test_booting_is_nothing_above_debug(caplog):
    caplog.set_level(logging.DEBUG)
    node = Node([record("a", recorded.NO_DRIVER)], [record("a")], boot_seconds=120, a=NOW)
    node.readings(["a"])
    node.readings(["a"])
    assert [r.levelname for r in caplog.records] == ["DEBUG", "DEBUG"]


def test_domain_that_is_no_instance_is_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    Node([record("a", recorded.NO_DRIVER)]).readings([])
    assert caplog.messages == []


def test_healthy_guest_is_not_mentioned(caplog):
    caplog.set_level(logging.DEBUG)
    Node([record("a")]).readings(["a"])
    assert caplog.messages == []


def test_gone_instance_is_nothing_above_debug(caplog):
    caplog.set_level(logging.DEBUG)
    Node([record("a")]).readings(["b"])
    assert [r.levelname for r in caplog.records] == ["DEBUG"]


@pytest.fixture
def configured(tmp_path):
    """Make a configuration of this text."""

    def make(text=""):
        path = tmp_path / "agent.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        opts.register(conf)
        conf(["--config-file", str(path)])
        return conf

    return make


def test_option_that_is_only_the_default_is_not_chosen(configured):
    assert collector_module.rule_of(configured()) == PeriodRule(10, chosen=False)


def test_option_in_a_file_is_chosen_also_at_the_defaults_value(configured):
    conf = configured("[libvirt]\nmem_stats_period_seconds = 10\n")
    assert collector_module.rule_of(conf) == PeriodRule(10, chosen=True)


def test_option_can_keep_the_agent_from_setting_periods(configured):
    conf = configured("[memballoon]\nset_periods = false\n")
    assert collector_module.rule_of(conf).may_set is False


def test_period_that_libvirt_does_not_take_is_warned_of(configured, caplog):
    conf = configured("[libvirt]\nmem_stats_period_seconds = 2147483648\n")
    collector_module.from_conf(conf, Host("test:///default", TIMEOUT))
    (message,) = caplog.messages
    assert "is 2147483648, and libvirt takes 2147483647 at most" in message
