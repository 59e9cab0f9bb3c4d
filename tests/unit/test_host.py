# SPDX-License-Identifier: Apache-2.0
"""The host's answers, with stand-ins for its connections."""

import threading

import libvirt
import pytest

from ceilometer_memballoon.errors import DeadlineError, DomainError, StoppedError, UnreachableError
from tests.lab.waiting import wait_for
from tests.unit.fake_libvirt import (
    BALLOON,
    RECORD,
    SOON,
    TIMEOUT,
    FakeConnection,
    FakeDomain,
    host,
    libvirt_error,
)


@pytest.mark.parametrize(("most", "stuck", "expected"), [(1, 0, True), (2, 1, False), (4, 2, True)])
def test_host_has_a_spare_call_if_one_more_remains_free(opens, release, most, stuck, expected):
    opens(*(FakeConnection(FakeDomain(), read=release) for _ in range(stuck)))
    one = host(most)
    for _ in range(stuck):
        read = one.start_read([RECORD], BALLOON, TIMEOUT)
        read.park()
        read.leave()
    assert one.has_spare_call is expected


def test_monitors_are_those_of_the_domains(opens):
    opens(FakeConnection(FakeDomain()))
    assert host().monitors([RECORD], TIMEOUT)["a", 1].seconds == 1.5


def test_monitors_found_before_the_deadline_are_kept(opens, release):
    connection = FakeConnection(FakeDomain("a"), FakeDomain("b", stuck=release), FakeDomain("c"))
    opens(connection)
    one = host()
    found = one.monitors(one.list_domains(TIMEOUT), SOON)
    assert (list(found), one.is_connected) == ([("a", 1)], False)
    release.set()
    wait_for(lambda: connection.closed, 10, "the stuck connection's end")
    assert list(found) == [("a", 1)]


def test_monitors_of_which_none_is_found_in_time_are_no_answer(opens, release):
    opens(FakeConnection(FakeDomain("a", stuck=release), FakeDomain("b")))
    one = host()
    records = one.list_domains(TIMEOUT)
    with pytest.raises(DeadlineError):
        one.monitors(records, SOON)


def test_question_about_monitors_ends_with_the_process(opens, release):
    asked = threading.Event()
    opens(FakeConnection(FakeDomain("a"), FakeDomain("b", stuck=release, asked=asked)))
    one = host()
    records = one.list_domains(TIMEOUT)
    threading.Thread(target=lambda: asked.wait(TIMEOUT) and one.stop()).start()
    with pytest.raises(StoppedError):
        one.monitors(records, TIMEOUT)


def test_monitor_of_an_unknown_domain_is_left_out(opens):
    opens(FakeConnection())
    assert host().monitors([RECORD], TIMEOUT) == {}


def test_silent_libvirtd_does_not_use_up_the_guests_calls(monkeypatch, release):
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: release.wait(60) and FakeConnection())
    one = host()
    for _ in range(6):
        with pytest.raises(UnreachableError):
            one.list_domains(0.01)
    assert (one.stuck_calls, one.has_spare_call) == (0, True)


def test_domain_that_may_not_be_read_is_a_domain_error(opens):
    denied = libvirt_error(libvirt.VIR_ERR_ACCESS_DENIED)
    opens(FakeConnection(FakeDomain(error=denied)))
    with pytest.raises(DomainError):
        host().live_xml(RECORD, TIMEOUT)


def test_live_xml_is_given_as_it_is(opens):
    opens(FakeConnection(FakeDomain()))
    assert host().live_xml(RECORD, TIMEOUT) == "<domain/>"


def test_stuck_close_is_not_waited_for(opens, release):
    opens(FakeConnection(close=release))
    with host().writer(SOON):
        pass


def test_abandoned_connection_is_not_closed_by_python(opens):
    connection = FakeConnection()
    opens(connection)
    one = host()
    with one.writer(TIMEOUT):
        one.stop()
    wait_for(lambda: connection._o is None, 10, "the connection let go")
    assert connection.closed is False


def test_stopped_host_is_not_asked_any_more(opens):
    opens(FakeConnection())
    one = host()
    one.stop()
    with pytest.raises(StoppedError, match="this process is ending"):
        one.list_domains(TIMEOUT)
