# SPDX-License-Identifier: Apache-2.0
"""One polling cycle, over a stand-in for the host."""

import contextlib
import logging
import threading

import pytest

from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    TooManyStuckCallsError,
)
from ceilometer_memballoon.host import Hold, Record
from ceilometer_memballoon.reading import Reason, stats_of_bulk
from tests.unit import recorded

NOW = recorded.LAST_UPDATE + 5
XML = "<domain><devices><memballoon model='virtio'>{}</memballoon></devices></domain>"


def record(uuid, fields=recorded.RUNNING, **changed):
    values = {"id": 1, "name": uuid, "paused": False, "busy": False}
    return Record(uuid=uuid, stats=stats_of_bulk(fields), **{**values, **changed})


def busy(uuid):
    return record(uuid, recorded.BUSY, busy=True)


class FakeHost:
    """Gives the reads in turn, the last one again and again; errors are raised."""

    def __init__(self, *reads, period=10):
        self.reads = list(reads)
        self.period = period
        self.read_count = 0
        self.holds = {}
        self.alone = {}
        self.written = []

    def read(self):
        self.read_count += 1
        read = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        return _give(read)

    def hold(self, record):
        return _give(self.holds.get(record.uuid, Hold.FREE))

    def read_one(self, record):
        return _give(self.alone[record.uuid])

    def live_xml(self, record):
        return XML.format(f"<stats period='{self.period}'/>" if self.period else "")

    def has_job(self, record):
        return False

    @contextlib.contextmanager
    def writer(self):
        yield self

    def set_period(self, record, period):
        self.written.append((record.uuid, period))


def _give(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer


def collector(host):
    return Collector(host, 10, 5.0, clock=lambda: NOW, pause=lambda seconds: None)


def reasons(readings):
    return {uuid: reading.reason for uuid, reading in readings.items()}


def test_pollsters_of_one_cycle_share_one_read():
    host = FakeHost([record("a")])
    cycle, cache = collector(host), {}
    assert cycle.readings(cache, ["a"]) is cycle.readings(cache, ["a"])
    assert host.read_count == 1


def test_parallel_pollsters_of_one_cycle_share_one_read():
    host = FakeHost([record("a")])
    cycle, cache = collector(host), {}
    threads = [threading.Thread(target=cycle.readings, args=(cache, ["a"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert host.read_count == 1


def test_each_cycle_reads_anew():
    host = FakeHost([record("a")])
    cycle = collector(host)
    cycle.readings({}, ["a"])
    cycle.readings({}, ["a"])
    assert host.read_count == 2


def test_every_running_domain_has_a_reading():
    fields = {
        "running": recorded.RUNNING,
        "driverless": recorded.NO_DRIVER,
    }
    host = FakeHost([record(uuid, raw) for uuid, raw in fields.items()])
    readings = collector(host).readings({}, [])
    assert reasons(readings) == {"running": None, "driverless": Reason.NO_GUEST_DRIVER}


def test_instance_without_a_running_domain_is_gone():
    readings = collector(FakeHost([record("a")])).readings({}, ["a", "b"])
    assert reasons(readings) == {"a": None, "b": Reason.GONE}


def test_no_answer_from_libvirt_gives_no_readings():
    host = FakeHost(DeadlineError("no answer within 5 s"))
    assert collector(host).readings({}, ["a"]) == {}


def test_silence_of_libvirt_is_logged_once_and_its_end_too(caplog):
    caplog.set_level(logging.INFO)
    silent = TooManyStuckCallsError("4 calls to libvirt are stuck")
    cycle = collector(FakeHost(silent, silent, [record("a")]))
    for _ in range(3):
        cycle.readings({}, ["a"])
    assert caplog.messages == [
        "No statistics from libvirt: 4 calls to libvirt are stuck",
        "libvirt gives statistics again.",
    ]


def test_error_reaches_every_pollster_of_the_cycle():
    cycle, cache = collector(FakeHost(ZeroDivisionError())), {}
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cycle.readings(cache, ["a"])


def test_busy_guest_is_read_alone():
    host = FakeHost([busy("a"), record("b")])
    host.alone["a"] = record("a")
    assert reasons(collector(host).readings({}, [])) == {"a": None, "b": None}


@pytest.mark.parametrize(
    ("hold", "reason"),
    [
        (Hold.JOB, Reason.BUSY),
        (Hold.QEMU, Reason.NOT_RESPONDING),
        (DomainGoneError("no domain"), Reason.GONE),
        (DomainError("odd"), Reason.BUSY),
        (DeadlineError("no answer within 5 s"), Reason.NOT_RESPONDING),
    ],
)
def test_guest_that_cannot_be_asked_has_a_reason_and_the_others_are_read(hold, reason):
    host = FakeHost([busy("a"), record("b")])
    host.holds["a"] = hold
    assert reasons(collector(host).readings({}, [])) == {"a": reason, "b": None}


def test_guest_that_gets_stuck_when_read_alone_is_not_responding():
    host = FakeHost([busy("a"), record("b")])
    host.alone["a"] = DeadlineError("no answer within 5 s")
    expected = {"a": Reason.NOT_RESPONDING, "b": None}
    assert reasons(collector(host).readings({}, [])) == expected


def test_guest_switched_on_is_read_again_until_it_answers():
    silent, answering = [record("a", recorded.NO_DRIVER)], [record("a")]
    host = FakeHost(silent, silent, answering, period=None)
    assert reasons(collector(host).readings({}, [])) == {"a": None}


def test_guest_switched_on_in_vain_is_given_up_for_the_cycle():
    host = FakeHost([record("a", recorded.NO_DRIVER)], period=None)
    readings = collector(host).readings({}, [])
    assert (reasons(readings), host.read_count) == ({"a": Reason.NO_GUEST_DRIVER}, 11)


def test_guest_with_fresh_statistics_is_switched_on_without_a_second_read():
    host = FakeHost([record("a")], period=None)
    collector(host).readings({}, [])
    assert (host.written, host.read_count) == ([("a", 10)], 1)


def test_reason_is_logged_when_it_changes(caplog):
    caplog.set_level(logging.INFO)
    driverless, running = [record("a", recorded.NO_DRIVER)], [record("a")]
    cycle = collector(FakeHost(driverless, driverless, running, running))
    for _ in range(4):
        cycle.readings({}, ["a"])
    first, second = caplog.messages
    assert first.startswith("Instance a: no memory.usage: no guest driver. The guest has")
    assert second == "Instance a reports its memory again"


def test_healthy_guest_is_not_mentioned(caplog):
    caplog.set_level(logging.DEBUG)
    collector(FakeHost([record("a")])).readings({}, ["a"])
    assert caplog.messages == []


def test_gone_instance_is_nothing_above_debug(caplog):
    caplog.set_level(logging.DEBUG)
    collector(FakeHost([record("a")])).readings({}, ["b"])
    assert [r.levelname for r in caplog.records] == ["DEBUG"]
