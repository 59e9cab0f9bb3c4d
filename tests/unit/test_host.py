# SPDX-License-Identifier: Apache-2.0
"""How the host uses its connections, over stand-ins for them."""

import threading

import libvirt
import pytest

from ceilometer_memballoon.deadline import Calls, DeadlineMissed
from ceilometer_memballoon.host import Hold, Host, NotDone, Record, Refused, Unreachable
from tests.lab.waiting import wait_for

TIMEOUT = 0.1
RECORD = Record("uuid", 1, "name", paused=False, busy=False, stats={})


class FakeConnection:
    """Answers getAllDomainStats with what it is given, raises it, or waits for it."""

    def __init__(self, answer=(), alive=True):
        self.answer = answer
        self.alive = alive
        self.closed = False

    def getAllDomainStats(self, stats, flags):  # noqa: N802
        if isinstance(self.answer, threading.Event):
            self.answer.wait(60)
        elif isinstance(self.answer, Exception):
            raise self.answer
        return []

    def isAlive(self):  # noqa: N802
        return int(self.alive)

    def close(self):
        self.closed = True


class FakeDomain:
    """One domain, reached through any connection."""

    def __init__(self, control=(0, 0, 0), error=None):
        self.control = control
        self.error = error

    def lookupByUUIDString(self, uuid):  # noqa: N802
        return self

    def controlInfo(self):  # noqa: N802
        return self.control

    def jobInfo(self):  # noqa: N802
        raise self.error

    def isAlive(self):  # noqa: N802
        return 1


def libvirt_error(code):
    error = libvirt.libvirtError("failed")
    error.err = (code, 0, "failed\nbadly", 0, "", "", "", 0, 0)
    return error


@pytest.fixture
def release():
    """What stuck connections wait for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def opens(monkeypatch):
    """Have libvirt.openReadOnly give these connections in turn."""

    def set_up(*connections):
        left = list(connections)
        monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: left.pop(0))
        return left

    return set_up


def test_one_connection_serves_all_reads(opens):
    left = opens(FakeConnection(), FakeConnection())
    host = Host("uri", TIMEOUT)
    host.read()
    host.read()
    assert len(left) == 1


def test_connection_lost_between_two_reads_costs_none(opens):
    first = FakeConnection()
    opens(first, FakeConnection())
    host = Host("uri", TIMEOUT)
    host.read()
    first.alive = False
    assert host.read() == []


def test_connection_found_lost_while_reading_costs_none(opens):
    first = FakeConnection()
    opens(first, FakeConnection())
    host = Host("uri", TIMEOUT)
    host.read()

    def lose(stats, flags):
        first.alive = False
        raise libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR)

    first.getAllDomainStats = lose
    assert host.read() == []


def test_new_connection_that_fails_is_not_tried_for_ever(opens):
    opens(FakeConnection(libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR), alive=False))
    with pytest.raises(Unreachable):
        Host("uri", TIMEOUT).read()


def test_error_on_a_living_connection_is_told_in_one_line(opens):
    connection = FakeConnection()
    opens(connection)
    host = Host("uri", TIMEOUT)
    host.read()
    connection.answer = libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)
    with pytest.raises(Unreachable, match=r"^[^\n]+$"):
        host.read()


def test_read_that_gets_stuck_is_left_behind_with_its_connection(opens, release):
    stuck, fresh = FakeConnection(release), FakeConnection()
    opens(stuck, fresh)
    calls = Calls()
    host = Host("uri", TIMEOUT, calls)
    assert (host.read(), calls.left_behind) == ([], 1)
    release.set()
    wait_for(lambda: stuck.closed, 10, "the stuck connection's end")
    assert (calls.left_behind, fresh.closed) == (0, False)


def test_libvirtd_that_does_not_let_connect_anew_is_given_up_at_once(monkeypatch, release):
    first = [FakeConnection(release)]

    def open_once(uri):
        if not first:
            release.wait(60)
            raise libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR)
        return first.pop()

    monkeypatch.setattr(libvirt, "openReadOnly", open_once)
    calls = Calls()
    with pytest.raises(Unreachable, match=r"no answer within 0\.02 s"):
        Host("uri", TIMEOUT, calls).read()
    assert calls.left_behind == 2


def test_connection_that_opens_late_is_closed(monkeypatch, release):
    late = FakeConnection()

    def open_late(uri):
        release.wait(60)
        return late

    monkeypatch.setattr(libvirt, "openReadOnly", open_late)
    with pytest.raises(Unreachable):
        Host("uri", TIMEOUT).read()
    release.set()
    wait_for(lambda: late.closed, 10, "the late connection's end")


def test_write_access_that_is_refused_is_told_in_one_line(monkeypatch):
    def refuse(uri):
        raise libvirt_error(libvirt.VIR_ERR_AUTH_FAILED)

    monkeypatch.setattr(libvirt, "open", refuse)
    with pytest.raises(Refused, match=r"^uri: [^\n]+$"), Host("uri", TIMEOUT).writer():
        pass


def test_writer_is_closed_after_use(monkeypatch):
    connection = FakeConnection()
    monkeypatch.setattr(libvirt, "open", lambda uri: connection)
    with Host("uri", TIMEOUT).writer():
        assert connection.closed is False
    assert connection.closed is True


def test_writer_that_gets_stuck_is_closed_when_it_returns(monkeypatch, release):
    connection = FakeConnection()
    connection.lookupByUUIDString = lambda uuid: release.wait(60) and FakeDomain()
    monkeypatch.setattr(libvirt, "open", lambda uri: connection)
    with pytest.raises(DeadlineMissed), Host("uri", TIMEOUT).writer() as writer:
        writer.set_period(RECORD, 10)
    assert connection.closed is False
    release.set()
    wait_for(lambda: connection.closed, 10, "the stuck connection's end")


@pytest.mark.parametrize(
    ("control", "hold"),
    [
        ((libvirt.VIR_DOMAIN_CONTROL_OK, 0, 0), Hold.FREE),
        ((libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 1000), Hold.FREE),
        ((libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 1001), Hold.QEMU),
        ((libvirt.VIR_DOMAIN_CONTROL_JOB, 0, 1001), Hold.JOB),
        ((libvirt.VIR_DOMAIN_CONTROL_ERROR, 0, 0), Hold.QEMU),
    ],
)
def test_what_holds_a_domain_is_told_by_libvirts_control_info(opens, control, hold):
    opens(FakeDomain(control))
    assert Host("uri", TIMEOUT).hold(RECORD) is hold


def test_domain_on_its_way_in_has_a_job(opens):
    opens(FakeDomain(error=libvirt_error(libvirt.VIR_ERR_OPERATION_INVALID)))
    assert Host("uri", TIMEOUT).has_job(RECORD) is True


def test_domain_whose_jobs_cannot_be_told_is_not_guessed_about(opens):
    opens(FakeDomain(error=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)))
    with pytest.raises(NotDone):
        Host("uri", TIMEOUT).has_job(RECORD)
