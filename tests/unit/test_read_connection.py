# SPDX-License-Identifier: Apache-2.0
"""How the host's read-only connection is opened, lost and reopened, with stand-ins."""

import weakref

import libvirt
import pytest

from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import DeadlineError, NoAnswerError, UnreachableError
from tests.lab.waiting import wait_for
from tests.unit.fake_libvirt import (
    LOST,
    SOON,
    TIMEOUT,
    FakeConnection,
    FakeDomain,
    host,
    libvirt_error,
)


def test_one_connection_serves_all_questions(opens):
    left = opens(FakeConnection(), FakeConnection())
    one = host()
    one.list_domains(TIMEOUT)
    one.list_domains(TIMEOUT)
    assert len(left) == 1


def test_nothing_is_connected_before_it_is_asked(opens):
    opens()
    assert host().is_connected is False


@pytest.mark.parametrize("found", ["before", "while asked"])
def test_connection_lost_between_two_cycles_costs_no_cycle(opens, found):
    first = FakeConnection()
    opens(first, FakeConnection(FakeDomain()))
    one = host()
    one.list_domains(TIMEOUT)
    first.alive = found != "before"
    first.on["list"] = LOST
    assert [record.uuid for record in one.list_domains(TIMEOUT)] == ["a"]


def test_libvirtd_that_drops_each_connection_is_not_retried_forever(opens):
    first, second, third = (FakeConnection() for _ in range(3))
    left = opens(first, second, third)
    one = host()
    one.list_domains(TIMEOUT)
    first.on["list"] = second.on["list"] = LOST
    with pytest.raises(UnreachableError):
        one.list_domains(TIMEOUT)
    assert left == [third]


def test_new_connection_that_fails_is_not_retried_forever(opens):
    left = opens(FakeConnection(list=LOST), FakeConnection())
    with pytest.raises(UnreachableError):
        host().list_domains(TIMEOUT)
    assert len(left) == 1


@pytest.mark.parametrize("code", [libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_ACCESS_DENIED])
def test_error_of_a_list_raises_no_answer_in_one_line(opens, code):
    opens(FakeConnection(list=libvirt_error(code)))
    with pytest.raises(NoAnswerError, match=r"^failed[^\n]*$"):
        host().list_domains(TIMEOUT)


@pytest.mark.parametrize(
    "error",
    [
        libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 2),
        libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 13),
        libvirt_error(libvirt.VIR_ERR_AUTH_FAILED),
        libvirt.libvirtError("without details"),
    ],
)
def test_libvirtd_that_cannot_be_connected_is_named(opens, error):
    opens(error)
    with pytest.raises(UnreachableError, match=r"^uri: [^\n]+$"):
        host().list_domains(TIMEOUT)


def test_connecting_and_asking_end_within_one_deadline(monkeypatch, release):
    connection, given, run = FakeConnection(list=release), [], Calls.run

    def note(calls, function, seconds, *late):
        given.append(seconds)
        return run(calls, function, seconds, *late)

    monkeypatch.setattr(Calls, "run", note)
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: release.wait(SOON) or connection)
    with pytest.raises(DeadlineError):
        host().list_domains(3 * SOON)
    connecting, asking = given
    assert asking <= connecting - SOON


def test_stuck_call_closes_its_connection_when_it_returns(opens, release):
    stuck = FakeConnection(list=release)
    opens(stuck, FakeConnection())
    one = host()
    with pytest.raises(DeadlineError):
        one.list_domains(SOON)
    assert (one.is_connected, one.stuck_calls, one.list_domains(TIMEOUT)) == (False, 0, [])
    release.set()
    wait_for(lambda: stuck.closed, 10, "the stuck connection's end")


def test_connection_that_opens_late_is_closed(monkeypatch, release):
    late = FakeConnection()
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: release.wait(60) and late)
    with pytest.raises(UnreachableError):
        host().list_domains(SOON)
    release.set()
    wait_for(lambda: late.closed, 10, "the late connection's end")


def test_connection_is_closed_with_its_host(opens):
    connection = FakeConnection()
    opens(connection)
    one = host()
    one.list_domains(TIMEOUT)
    one.close()
    one.close()
    assert connection.closed is True


def test_lost_connection_is_closed_before_another_is_opened(opens):
    lost = FakeConnection()
    opens(lost, FakeConnection())
    one = host()
    one.list_domains(TIMEOUT)
    lost.alive = False
    one.list_domains(TIMEOUT)
    assert lost.closed is True


def test_connection_of_unknown_state_counts_as_dead(opens, monkeypatch):
    connection = FakeConnection()
    opens(connection)
    one = host()
    one.list_domains(TIMEOUT)

    def fail():
        raise libvirt.libvirtError("closed")

    monkeypatch.setattr(connection, "isAlive", fail)
    assert one.is_connected is False


def test_connection_of_an_interrupted_call_is_not_waited_for(opens, monkeypatch):
    connection = FakeConnection()
    opens(connection)
    one = host()
    one.list_domains(TIMEOUT)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(one._calls.daemon, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            one.list_domains(TIMEOUT)
    one.close()
    assert connection.closed is False


def test_objects_that_cannot_be_freed_in_time_are_kept(opens, no_collector):
    domain = FakeDomain()
    opens(FakeConnection(domain))
    one = host()
    one.list_domains(TIMEOUT)
    kept = weakref.ref(domain)
    one.stop()
    one.close()
    del domain
    assert kept() is not None
