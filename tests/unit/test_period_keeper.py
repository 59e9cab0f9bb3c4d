# SPDX-License-Identifier: Apache-2.0
"""Which domains get their statistics period set, and how often that is tried."""

import contextlib
import logging
import math

import pytest

from ceilometer_memballoon.domain_xml import Balloon, parse_balloon
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    WriteRefusedError,
)
from ceilometer_memballoon.host import Record
from ceilometer_memballoon.period_keeper import REFUSAL_SECONDS, PeriodKeeper

PERIOD = 10
XML = "<domain><devices>{}</devices></domain>"


class FakeHost:
    """Stands in for libvirt: live XML by uuid, and what was asked of it."""

    def __init__(self, *balloons):
        self.balloons = dict(balloons)
        self.jobs = set()
        self.asked = []
        self.written = []
        self.failure = {}

    def live_xml(self, record):
        self.asked.append(record.uuid)
        self._fail("xml", record)
        return XML.format(self.balloons[record.uuid])

    def has_job(self, record):
        self._fail("job", record)
        return record.uuid in self.jobs

    @contextlib.contextmanager
    def writer(self):
        self.asked.append("writer")
        if "writer" in self.failure:
            raise self.failure["writer"]
        yield self

    def set_period(self, record, period):
        self._fail("set", record)
        self.written.append((record.uuid, period))

    def _fail(self, what, record):
        for key in (what, (what, record.uuid)):
            if key in self.failure:
                raise self.failure[key]


def balloon(period=None, model="virtio"):
    stats = "" if period is None else f"<stats period='{period}'/>"
    return f"<memballoon model='{model}'>{stats}</memballoon>"


def record(uuid, boot=1, busy=False):
    return Record(uuid, boot, uuid, paused=False, busy=busy, stats={})


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def ensure(periods, *records, suspects=(), end=math.inf):
    return periods.ensure(records, suspects, end)


@pytest.mark.parametrize(
    ("memballoon", "expected"),
    [
        (balloon(5), Balloon("virtio", 5)),
        (balloon(), Balloon("virtio", 0)),
        (balloon(model="none"), Balloon("none", 0)),
        ("", Balloon("none", 0)),
    ],
)
def test_balloon_is_read_from_the_live_xml(memballoon, expected):
    assert parse_balloon(XML.format(memballoon)) == expected


def test_entities_in_the_xml_are_not_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("virtio")
    xml = (
        f"<!DOCTYPE domain [<!ENTITY e SYSTEM 'file://{secret}'>]>"
        "<domain><name>&e;</name><devices><memballoon model='virtio'/></devices></domain>"
    )
    assert parse_balloon(xml) == Balloon("virtio", 0)


@pytest.mark.parametrize(
    "xml", ["", "<domain>", f"<domain><metadata>{'x' * 11_000_000}</metadata></domain>"],
    ids=["empty", "cut", "huge"],
)  # fmt: skip
def test_xml_that_cannot_be_read_is_its_domains_trouble(xml):
    with pytest.raises(DomainError, match="not XML"):
        parse_balloon(xml)


@pytest.mark.parametrize("model", ["virtio", "virtio-transitional", "virtio-non-transitional"])
def test_every_virtio_model_gets_the_period(model):
    host = FakeHost(("a", balloon(model=model)))
    assert ensure(PeriodKeeper(host, PERIOD, Clock()), record("a")) == {"a"}


@pytest.mark.parametrize("memballoon", [balloon(model="none"), balloon(model="xen"), ""])
def test_domain_without_virtio_balloon_is_never_tried(memballoon):
    host = FakeHost(("a", memballoon))
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"), suspects={"a"})
    assert host.asked == ["a"]


def test_period_of_the_option_is_left_alone():
    host = FakeHost(("a", balloon(PERIOD)))
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"))
    assert host.asked == ["a"]


def test_another_period_is_set_to_the_options():
    host = FakeHost(("a", balloon(60)))
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"))
    assert host.written == [("a", PERIOD)]


@pytest.mark.parametrize("option", [0, -1])
def test_at_zero_or_below_no_domain_is_changed(option):
    host = FakeHost(("a", balloon()))
    ensure(PeriodKeeper(host, option, Clock()), record("a"), suspects={"a"})
    assert host.asked == ["a"]


def test_healthy_domain_is_looked_at_once_a_boot():
    host = FakeHost(("a", balloon(PERIOD)))
    periods = PeriodKeeper(host, PERIOD, Clock())
    for _ in range(3):
        ensure(periods, record("a"))
    assert host.asked == ["a"]


def test_domain_is_looked_at_again_after_a_boot():
    host = FakeHost(("a", balloon(PERIOD)))
    periods = PeriodKeeper(host, PERIOD, Clock())
    ensure(periods, record("a", boot=1))
    ensure(periods, record("a", boot=2))
    assert host.asked == ["a", "a"]


def test_suspect_is_looked_at_again():
    host = FakeHost(("a", balloon(PERIOD)), ("b", balloon(PERIOD)))
    periods = PeriodKeeper(host, PERIOD, Clock())
    ensure(periods, record("a"), record("b"))
    ensure(periods, record("a"), record("b"), suspects={"b"})
    assert host.asked == ["a", "b", "b"]


def test_domain_with_a_job_is_left_alone_until_it_is_over():
    host = FakeHost(("a", balloon()))
    host.jobs = {"a"}
    periods = PeriodKeeper(host, PERIOD, Clock())
    assert ensure(periods, record("a")) == set()
    host.jobs = set()
    assert ensure(periods, record("a")) == {"a"}


def test_no_writer_is_opened_for_domains_with_jobs_alone():
    host = FakeHost(("a", balloon()))
    host.jobs = {"a"}
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"))
    assert "writer" not in host.asked


def test_busy_domain_is_set_in_a_later_cycle():
    host = FakeHost(("a", balloon()))
    periods = PeriodKeeper(host, PERIOD, Clock())
    assert ensure(periods, record("a", busy=True)) == set()
    assert ensure(periods, record("a")) == {"a"}


def test_one_writer_serves_all_domains_of_a_cycle():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"), record("b"))
    assert host.asked == ["a", "b", "writer"]


def test_refused_write_access_is_warned_of_once_with_the_remedy(caplog):
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("authentication failed")
    clock = Clock()
    periods = PeriodKeeper(host, PERIOD, clock)
    for _ in range(3):
        ensure(periods, record("a"))
        clock.now += REFUSAL_SECONDS
    (message,) = caplog.messages
    assert "authentication failed. Allow the agent's user to write to libvirt" in message


def test_refused_write_access_is_not_tried_again_for_a_while():
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("no")
    clock = Clock()
    periods = PeriodKeeper(host, PERIOD, clock)
    ensure(periods, record("a"))
    clock.now = REFUSAL_SECONDS - 1
    ensure(periods, record("a"))
    assert host.asked == ["a", "writer"]


def test_write_access_granted_later_is_used():
    host = FakeHost(("a", balloon()))
    host.failure["writer"] = WriteRefusedError("no")
    clock = Clock()
    periods = PeriodKeeper(host, PERIOD, clock)
    ensure(periods, record("a"))
    host.failure.clear()
    clock.now = REFUSAL_SECONDS
    assert ensure(periods, record("a")) == {"a"}


def test_domain_that_is_refused_alone_keeps_no_other_from_being_set():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["set", "a"] = WriteRefusedError("access denied")
    clock = Clock()
    periods = PeriodKeeper(host, PERIOD, clock)
    assert ensure(periods, record("a"), record("b")) == set()
    clock.now = REFUSAL_SECONDS
    assert ensure(periods, record("a"), record("b")) == {"b"}


@pytest.mark.parametrize("step", ["xml", "job", "set"])
@pytest.mark.parametrize("error", [DomainGoneError("no domain"), DomainError("odd")])
def test_one_domains_trouble_is_not_anothers(step, error):
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure[step, "a"] = error
    assert ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"), record("b")) == {"b"}


def test_departed_domain_is_nothing_above_debug(caplog):
    caplog.set_level(logging.DEBUG)
    host = FakeHost(("a", balloon()))
    host.failure["xml"] = DomainGoneError("no domain")
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"))
    assert [r.levelname for r in caplog.records] == ["DEBUG"]


def test_what_was_set_before_libvirt_fell_silent_counts():
    host = FakeHost(("a", balloon()), ("b", balloon()))
    host.failure["set", "b"] = DeadlineError("no answer within 5 s")
    assert ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"), record("b")) == {"a"}


def test_silence_of_libvirt_is_logged_once(caplog):
    host = FakeHost(("a", balloon()))
    host.failure["xml"] = DeadlineError("no answer within 5 s")
    periods = PeriodKeeper(host, PERIOD, Clock())
    ensure(periods, record("a"))
    ensure(periods, record("a"))
    assert caplog.messages == ["Periods not checked: no answer within 5 s"]


def test_nothing_is_begun_after_the_end():
    host = FakeHost(("a", balloon()))
    ensure(PeriodKeeper(host, PERIOD, Clock()), record("a"), end=0)
    assert host.asked == []


def test_expected_period_is_the_options():
    host = FakeHost(("a", balloon(60)))
    assert PeriodKeeper(host, PERIOD, Clock()).expected(record("a")) == PERIOD


def test_expected_period_is_the_domains_own_with_the_option_off():
    host = FakeHost(("a", balloon(60)))
    periods = PeriodKeeper(host, 0, Clock())
    ensure(periods, record("a"))
    assert periods.expected(record("a")) == 60
