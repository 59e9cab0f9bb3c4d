# SPDX-License-Identifier: Apache-2.0
"""How the host uses its connections, over stand-ins for them."""

import threading

import libvirt
import pytest

from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.host import Hold, Host, Record
from tests.lab.waiting import wait_for

TIMEOUT = 0.1
MONITOR = libvirt.VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR
INTERNAL = libvirt.VIR_DOMAIN_CONTROL_ERROR_REASON_INTERNAL
RECORD = Record("uuid", 1, "name", paused=False, busy=False, stats={})
#: As a connection's answer: it is lost when it is used.
LOST = "lost"


class FakeConnection:
    """Answers getAllDomainStats with what it is given, raises it, waits for it, or is lost."""

    def __init__(self, answer=(), alive=True):
        self.answer = answer
        self.alive = alive
        self.closed = False
        self._o = "what libvirt's __del__ closes"

    def getAllDomainStats(self, stats, flags):  # noqa: N802
        if isinstance(self.answer, threading.Event):
            self.answer.wait(60)
        elif self.answer == LOST:
            self.alive = False
            raise libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR)
        elif isinstance(self.answer, Exception):
            raise self.answer
        return []

    def isAlive(self):  # noqa: N802
        return int(self.alive)

    def close(self):
        self.closed = True


class FakeDomain:
    """One domain, reached through any connection; ids: what ID() gives in turn."""

    def __init__(self, control=(0, 0, 0), error=None, ids=(1,)):
        self.control = control
        self.error = error
        self.ids = list(ids)

    def ID(self):  # noqa: N802
        return self.ids.pop(0) if len(self.ids) > 1 else self.ids[0]

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


@pytest.fixture
def connected(opens):
    """Make a host that has read once, on the first of these connections."""

    def connect(*connections, calls=None):
        opens(*connections)
        host = Host("uri", TIMEOUT, calls)
        host.read()
        return host

    return connect


def test_one_connection_serves_all_reads(opens):
    left = opens(FakeConnection(), FakeConnection())
    host = Host("uri", TIMEOUT)
    host.read()
    host.read()
    assert len(left) == 1


def test_connection_lost_between_two_reads_costs_none(connected):
    first = FakeConnection()
    host = connected(first, FakeConnection())
    first.alive = False
    assert host.read() == []


def test_connection_found_lost_while_reading_costs_none(connected):
    first = FakeConnection()
    host = connected(first, FakeConnection())
    first.answer = LOST
    assert host.read() == []


def test_new_connection_that_fails_is_not_tried_for_ever(opens):
    opens(FakeConnection(libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR), alive=False))
    with pytest.raises(UnreachableError):
        Host("uri", TIMEOUT).read()


def test_libvirtd_that_drops_each_connection_is_not_tried_for_ever(connected):
    first, second, third = FakeConnection(), FakeConnection(LOST), FakeConnection(LOST)
    host = connected(first, second, third)
    first.answer = LOST
    with pytest.raises(UnreachableError):
        host.read()
    assert (second.alive, third.alive) == (False, True)


def test_error_on_a_living_connection_is_told_in_one_line(connected):
    connection = FakeConnection()
    host = connected(connection)
    connection.answer = libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)
    with pytest.raises(UnreachableError, match=r"^[^\n]+$"):
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
    with pytest.raises(UnreachableError, match=r"no answer within 0\.025 s"):
        Host("uri", TIMEOUT, calls).read()
    assert calls.left_behind == 2


def test_connection_that_opens_late_is_closed(monkeypatch, release):
    late = FakeConnection()

    def open_late(uri):
        release.wait(60)
        return late

    monkeypatch.setattr(libvirt, "openReadOnly", open_late)
    with pytest.raises(UnreachableError):
        Host("uri", TIMEOUT).read()
    release.set()
    wait_for(lambda: late.closed, 10, "the late connection's end")


def test_write_access_that_is_refused_is_told_in_one_line(monkeypatch):
    def refuse(uri):
        raise libvirt_error(libvirt.VIR_ERR_AUTH_FAILED)

    monkeypatch.setattr(libvirt, "open", refuse)
    with pytest.raises(WriteRefusedError, match=r"^uri: [^\n]+$"), Host("uri", TIMEOUT).writer():
        pass


def test_writer_is_closed_after_use(monkeypatch):
    connection = FakeConnection()
    monkeypatch.setattr(libvirt, "open", lambda uri: connection)
    with Host("uri", TIMEOUT).writer():
        assert connection.closed is False
    assert connection.closed is True


def test_connection_is_closed_with_its_host(connected):
    connection = FakeConnection()
    connected(connection).close()
    assert connection.closed is True


def test_lost_connection_is_closed_before_another_is_opened(connected):
    lost = FakeConnection()
    host = connected(lost, FakeConnection())
    lost.alive = False
    host.read()
    assert lost.closed is True


def test_connection_that_may_not_be_closed_any_more_is_not_closed_by_python(monkeypatch):
    connection = FakeConnection()
    monkeypatch.setattr(libvirt, "open", lambda uri: connection)
    host = Host("uri", TIMEOUT)
    with host.writer():
        host.stop()
    wait_for(lambda: connection._o is None, 10, "the connection let go")
    assert connection.closed is False


def test_connection_whose_call_was_interrupted_is_not_waited_for_again(connected, monkeypatch):
    connection, calls = FakeConnection(), Calls()
    host = connected(connection, calls=calls)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(calls, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        host.read()
    host.close()
    assert connection.closed is False


def test_writer_that_gets_stuck_is_closed_when_it_returns(monkeypatch, release):
    connection = FakeConnection()
    connection.lookupByUUIDString = lambda uuid: release.wait(60) and FakeDomain()
    monkeypatch.setattr(libvirt, "open", lambda uri: connection)
    with pytest.raises(DeadlineError), Host("uri", TIMEOUT).writer() as writer:
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
        ((libvirt.VIR_DOMAIN_CONTROL_ERROR, MONITOR, 0), Hold.QEMU),
        ((libvirt.VIR_DOMAIN_CONTROL_ERROR, INTERNAL, 3), Hold.FREE),
        ((libvirt.VIR_DOMAIN_CONTROL_ERROR, INTERNAL, 1001), Hold.JOB),
    ],
)
def test_what_holds_a_domain_is_told_by_libvirts_control_info(opens, control, hold):
    opens(FakeDomain(control))
    assert Host("uri", 5.0).hold(RECORD) is hold


def test_domain_held_for_half_of_a_short_timeout_is_held_for_long(opens):
    opens(FakeDomain((libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 51)))
    assert Host("uri", TIMEOUT).hold(RECORD) is Hold.QEMU


def test_domain_on_its_way_in_has_a_job(opens):
    opens(FakeDomain(error=libvirt_error(libvirt.VIR_ERR_OPERATION_INVALID)))
    assert Host("uri", TIMEOUT).has_job(RECORD) is True


def test_domain_whose_jobs_cannot_be_told_is_not_guessed_about(opens):
    opens(FakeDomain(error=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)))
    with pytest.raises(DomainError):
        Host("uri", TIMEOUT).has_job(RECORD)


def test_domain_that_may_not_be_read_is_its_own_trouble_alone(opens):
    opens(FakeDomain(error=libvirt_error(libvirt.VIR_ERR_ACCESS_DENIED)))
    with pytest.raises(DomainError):
        Host("uri", TIMEOUT).has_job(RECORD)


def test_domain_that_ends_while_it_is_asked_is_gone_whatever_the_error(opens):
    opens(FakeDomain(error=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR), ids=(1, -1)))
    with pytest.raises(DomainGoneError):
        Host("uri", TIMEOUT).has_job(RECORD)


def test_domain_that_has_booted_anew_is_not_taken_for_the_one_that_was_read(opens):
    opens(FakeDomain(ids=(2,)))
    with pytest.raises(DomainGoneError):
        Host("uri", TIMEOUT).hold(RECORD)


def test_stopped_host_is_not_asked_any_more(opens):
    opens(FakeConnection())
    host = Host("uri", TIMEOUT)
    host.stop()
    with pytest.raises(UnreachableError, match="this process is ending"):
        host.read()
