# SPDX-License-Identifier: Apache-2.0
"""Which domains get their statistics period set, and how often this is tried."""

import contextlib
import logging

import pytest

from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    StoppedError,
    TooManyStuckCallsError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.record import Outcome, Record
from ceilometer_memballoon.retries import RETRY_SECONDS
from ceilometer_memballoon.write_access import REFUSAL_SECONDS
from tests.unit.fake_host import Clock

PERIOD = 10
NOVA = "<metadata><i:instance xmlns:i='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"
XML = "<domain>{}<devices>{}</devices></domain>"


class FakeHost:
    """Live XML by UUID, and the calls made. costs: seconds of each kind of call."""

    has_spare_call = True

    def __init__(self, *balloons, clock=None, costs=None):
        self.balloons = dict(balloons)
        self.foreign = set()
        self.jobs = set()
        self.asked = []
        self.written = []
        self.failure = {}
        self.clock = clock or Clock()
        self.costs = costs or {}

    def live_xml(self, record, seconds):
        self.asked.append(record.uuid)
        self._pass("xml", record)
        nova = "" if record.uuid in self.foreign else NOVA
        return XML.format(nova, self.balloons[record.uuid])

    def has_job(self, record, seconds):
        self._pass("job", record)
        return record.uuid in self.jobs

    @contextlib.contextmanager
    def writer(self, seconds):
        self.asked.append("writer")
        if "writer" in self.failure:
            raise self.failure["writer"]
        yield self
        self.asked.append("closed")

    def set_period(self, record, period, seconds):
        self._pass("set", record)
        self.written.append((record.uuid, period))

    def _pass(self, what, record):
        self.clock.sleep(self.costs.get(what, 0))
        for key in (what, (what, record.uuid)):
            if key in self.failure:
                raise self.failure[key]


def balloon(period=None, model="virtio"):
    stats = "" if period is None else f"<stats period='{period}'/>"
    return f"<memballoon model='{model}'>{stats}</memballoon>"


def record(uuid, boot=1, outcome=Outcome.READ):
    return Record(uuid, boot, uuid, outcome=outcome)


def keeper(host, period=PERIOD, **rule):
    return PeriodKeeper(host, PeriodRule(period, **rule), host.clock)


def ensure(periods, *records, suspects=(), seconds=1000.0, enable=True):
    return periods.ensure(records, suspects, periods._host.clock() + seconds, enable=enable)


@pytest.mark.parametrize("model", ["virtio", "virtio-transitional", "virtio-non-transitional"])
def test_every_virtio_model_gets_the_period(model):
    host = FakeHost(("a", balloon(model=model)))
    assert ensure(keeper(host), record("a")) == {"a"}


@pytest.mark.parametrize("memballoon", [balloon(model="none"), balloon(model="xen"), ""])
def test_domain_without_virtio_balloon_is_never_tried(memballoon):
    host = FakeHost(("a", memballoon))
    ensure(keeper(host), record("a"), suspects={"a"})
    assert host.asked == ["a"]


def test_period_of_the_option_is_left_alone():
    host = FakeHost(("a", balloon(PERIOD)))
    ensure(keeper(host), record("a"))
    assert host.asked == ["a"]


def test_another_period_is_set_to_the_options():
    host = FakeHost(("a", balloon(60)))
    ensure(keeper(host), record("a"))
    assert host.written == [("a", PERIOD)]


@pytest.mark.parametrize("option", [0, -1])
def test_at_zero_or_below_no_domain_is_changed(option):
    host = FakeHost(("a", balloon()))
    ensure(keeper(host, option), record("a"), suspects={"a"})
    assert host.asked == ["a"]


def test_xml_of_a_healthy_domain_is_read_once_a_boot():
    host = FakeHost(("a", balloon(PERIOD)))
    periods = keeper(host)
    for _ in range(3):
        ensure(periods, record("a"))
    assert host.asked == ["a"]


def test_xml_is_read_again_after_a_boot():
    host = FakeHost(("a", balloon(PERIOD)))
    periods = keeper(host)
    ensure(periods, record("a", boot=1))
    ensure(periods, record("a", boot=2))
    assert host.asked == ["a", "a"]


def test_xml_of_a_suspect_is_read_again():
    host = FakeHost(("a", balloon(PERIOD)), ("b", balloon(PERIOD)))
    periods = keeper(host)
    ensure(periods, record("a"), record("b"))
    ensure(periods, record("a"), record("b"), suspects={"b"})
    assert host.asked == ["a", "b", "b"]


def test_domain_with_a_job_is_left_alone_until_it_is_over():
    host = FakeHost(("a", balloon()))
    host.jobs = {"a"}
    periods = keeper(host)
    assert ensure(periods, record("a")) == set()
    host.jobs = set()
    assert ensure(periods, record("a")) == {"a"}


def test_no_writer_is_opened_for_domains_with_jobs_alone():
    host = FakeHost(("a", balloon()))
    host.jobs = {"a"}
    ensure(keeper(host), record("a"))
    assert "writer" not in host.asked


def test_busy_domain_is_set_in_a_later_cycle():
    host = FakeHost(("a", balloon()))
    periods = keeper(host)
    assert ensure(periods, record("a", outcome=Outcome.BUSY)) == set()
    assert ensure(periods, record("a")) == {"a"}


def test_one_writer_serves_all_domains_of_a_cycle():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    ensure(keeper(host), record("a"), record("b"))
    assert host.asked == ["a", "writer", "b", "closed"]


def test_refused_write_access_is_warned_of_once_with_the_remedy(caplog):
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("authentication failed")
    clock = host.clock
    periods = keeper(host)
    for _ in range(3):
        ensure(periods, record("a"))
        clock.now += REFUSAL_SECONDS
    (message,) = caplog.messages
    assert "authentication failed. Allow the agent's user to write to libvirt" in message


def test_refused_write_access_is_not_tried_again_for_a_while():
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("no")
    clock = host.clock
    periods = keeper(host)
    ensure(periods, record("a"))
    clock.now += REFUSAL_SECONDS - 1
    ensure(periods, record("a"))
    assert host.asked == ["a", "writer"]


def test_write_access_granted_later_is_used():
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("no")
    clock = host.clock
    periods = keeper(host)
    ensure(periods, record("a"))
    host.failure.clear()
    clock.now += REFUSAL_SECONDS
    assert ensure(periods, record("a")) == {"a"}


def test_refusal_for_one_domain_does_not_block_others():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["set", "a"] = WriteRefusedError("access denied")
    assert ensure(keeper(host), record("a"), record("b")) == {"b"}


def test_refused_domain_is_retried_later():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["set", "a"] = WriteRefusedError("access denied")
    periods = keeper(host)
    ensure(periods, record("a"), record("b"))
    host.failure.clear()
    assert ensure(periods, record("a"), record("b")) == set()
    host.clock.now += REFUSAL_SECONDS
    assert ensure(periods, record("a"), record("b")) == {"a"}


@pytest.mark.parametrize("step", ["xml", "job", "set"])
@pytest.mark.parametrize(
    "error",
    [
        DomainGoneError("no domain"),
        DomainError("odd"),
        DeadlineError("no answer within 1 s"),
        OverflowError("too large"),
    ],
)
def test_failure_of_one_domain_does_not_affect_others(step, error):
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure[step, "a"] = error
    assert ensure(keeper(host), record("a"), record("b")) == {"b"}


@pytest.mark.parametrize("error", [DomainError("odd"), DeadlineError("no answer within 1 s")])
def test_failed_domain_is_retried_later(error):
    host = FakeHost(("a", balloon()))
    host.failure["xml"] = error
    periods = keeper(host)
    ensure(periods, record("a"))
    host.clock.now += RETRY_SECONDS - 1
    ensure(periods, record("a"))
    assert host.asked == ["a"]
    host.clock.now += 1
    ensure(periods, record("a"))
    assert host.asked == ["a", "a"]


def test_recurring_failure_of_a_domain_is_logged_again(caplog):
    host = FakeHost(("a", balloon(PERIOD)))
    periods = keeper(host)
    for failure in (DomainError("odd"), None, DomainError("odd")):
        host.failure = {"xml": failure} if failure else {}
        ensure(periods, record("a"), suspects={"a"})
        host.clock.now += RETRY_SECONDS
    assert caplog.messages == ["Live XML of instance a cannot be read: odd"] * 2


@pytest.mark.parametrize("error", [UnreachableError("gone"), TooManyStuckCallsError("4 calls")])
def test_missing_answer_is_no_domain_error(error, caplog):
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["job"] = error
    ensure(keeper(host), record("a"), record("b"))
    assert caplog.messages == [f"Cannot check the periods: {error}"]


def test_libvirtd_that_is_restarted_when_the_writer_connects_has_refused_nothing():
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = UnreachableError("connection refused")
    periods = keeper(host)
    ensure(periods, record("a"))
    host.failure.clear()
    assert ensure(periods, record("a")) == {"a"}


def test_ending_process_asks_no_further_domain():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["xml"] = StoppedError("ending")
    ensure(keeper(host), record("a"), record("b"))
    assert host.asked == ["a"]


def test_refused_domain_is_warned_of(caplog):
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["set", "a"] = WriteRefusedError("access denied")
    ensure(keeper(host), record("a"), record("b"))
    assert caplog.messages == ["Statistics period of instance a cannot be set: access denied"]


def test_host_is_not_asked_again_after_several_refusals():
    names = "abcdef"
    host = FakeHost(*((name, balloon()) for name in names))
    host.failure["set"] = WriteRefusedError("access denied")
    tried = []
    host.has_job = lambda record, seconds: tried.append(record.uuid)
    ensure(keeper(host), *map(record, names))
    assert tried == ["a", "b", "c"]


def test_xml_is_read_although_writing_is_refused():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["writer"] = WriteRefusedError("no")
    ensure(keeper(host), record("a"), record("b"))
    assert host.asked == ["a", "writer", "b"]


def test_write_access_granted_later_is_logged(caplog):
    caplog.set_level(logging.INFO)
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("no")
    periods = keeper(host)
    ensure(periods, record("a"))
    host.failure.clear()
    host.clock.now += REFUSAL_SECONDS
    ensure(periods, record("a"))
    assert caplog.messages[1:] == ["Statistics periods can be set again."]


@pytest.mark.parametrize(
    ("count", "costs", "seconds"),
    [
        (400, {"set": 0.02}, 1.0),
        (400, {"xml": 0.02, "job": 0.01, "set": 0.01}, 5.0),
        (60, {"job": 0.6}, 5.0),
        (60, {"xml": 0.6}, 5.0),
    ],
)
def test_many_guests_are_all_enabled_in_turn(count, costs, seconds):
    names = [f"g{number:03d}" for number in range(count)]
    host = FakeHost(*((name, balloon()) for name in names), costs=costs)
    periods = keeper(host)
    most = count * (sum(costs.values()) / seconds) + 2
    cycles, done = 0, set()
    while len(done) < len(names):
        begun = host.clock()
        # Guests without a period are suspects in each cycle.
        left = set(names) - done
        done |= ensure(periods, *map(record, names), suspects=left, seconds=seconds)
        assert host.clock() - begun <= seconds + sum(costs.values())
        cycles += 1
        assert cycles <= most


def test_no_domain_is_asked_while_calls_are_stuck_at_all_places_but_one():
    host = FakeHost(("a", balloon()))
    host.has_spare_call = False
    ensure(keeper(host), record("a"))
    assert host.asked == []


def test_second_domain_is_not_asked_once_a_call_takes_the_last_spare_place():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["xml", "a"] = DeadlineError("no answer within 1 s")
    read = host.live_xml

    def get_stuck(record, seconds):
        host.has_spare_call = False
        return read(record, seconds)

    host.live_xml = get_stuck
    ensure(keeper(host), record("a"), record("b"))
    assert host.asked == ["a"]


def test_no_period_is_set_when_that_is_not_wanted_now():
    host = FakeHost(("a", balloon()))
    periods = keeper(host)
    ensure(periods, record("a"), enable=False)
    assert (host.asked, periods.facts(record("a")).balloon.period) == (["a"], 0)


def test_no_writer_is_ever_opened_when_periods_may_not_be_set():
    host = FakeHost(("a", balloon()))
    ensure(keeper(host, may_set=False), record("a"), suspects={"a"})
    assert host.asked == ["a"]


def test_domain_that_is_not_novas_is_left_alone_and_not_logged(caplog):
    host = FakeHost(("a", balloon()))
    host.foreign = {"a"}
    ensure(keeper(host), record("a"), suspects={"a"})
    assert (host.written, caplog.messages) == ([], [])


def test_chosen_period_is_kept_with_the_default_option():
    host = FakeHost(("a", balloon(60)), ("b", balloon()))
    ensure(keeper(host, chosen=False), record("a"), record("b"))
    assert host.written == [("b", PERIOD)]


def test_period_that_libvirt_does_not_take_is_never_set():
    host = FakeHost(("a", balloon()))
    ensure(keeper(host, 2**31), record("a"))
    assert host.written == []


def test_expected_period_is_the_one_the_guest_has():
    host = FakeHost(("a", balloon(60)))
    host.failure["writer"] = WriteRefusedError("no")
    periods = keeper(host)
    ensure(periods, record("a"))
    assert periods.expected(record("a")) == 60


def test_expected_period_is_the_one_that_was_set():
    host = FakeHost(("a", balloon(60)))
    periods = keeper(host)
    ensure(periods, record("a"))
    assert periods.expected(record("a")) == PERIOD


def test_expected_period_is_unknown_under_one_that_libvirt_does_not_take():
    assert keeper(FakeHost(), 2**31).expected(record("a")) == 0


def test_what_is_known_of_a_departed_domain_is_forgotten():
    host = FakeHost(("a", balloon(PERIOD)))
    periods = keeper(host)
    ensure(periods, record("a"))
    ensure(periods)
    assert periods.facts(record("a")) is None


def test_departed_domain_logs_nothing_above_debug(caplog):
    caplog.set_level(logging.DEBUG)
    host = FakeHost(("a", balloon()))
    host.failure["xml"] = DomainGoneError("no domain")
    ensure(keeper(host), record("a"))
    assert [r.levelname for r in caplog.records] == ["DEBUG"]


def test_periods_set_before_libvirt_stops_answering_count():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["set", "b"] = DeadlineError("no answer within 5 s")
    assert ensure(keeper(host), record("a"), record("b")) == {"a"}


def test_silence_of_libvirt_is_logged_once(caplog):
    host = FakeHost(("a", balloon()))
    host.failure["xml"] = UnreachableError("gone")
    periods = keeper(host)
    ensure(periods, record("a"))
    ensure(periods, record("a"))
    assert caplog.messages == ["Cannot check the periods: gone"]


def test_nothing_is_begun_after_the_end():
    host = FakeHost(("a", balloon()))
    ensure(keeper(host), record("a"), seconds=0)
    assert host.asked == []


def test_expected_period_is_the_options_until_the_xml_was_read():
    host = FakeHost(("a", balloon(60)))
    assert keeper(host).expected(record("a")) == PERIOD


def test_expected_period_is_the_domains_own_with_the_option_off():
    host = FakeHost(("a", balloon(60)))
    periods = keeper(host, 0)
    ensure(periods, record("a"))
    assert periods.expected(record("a")) == 60
