# SPDX-License-Identifier: Apache-2.0
"""The read-write connection, with stand-ins for libvirt."""

import libvirt
import pytest

from ceilometer_memballoon.errors import DeadlineError, UnreachableError, WriteRefusedError
from tests.lab.waiting import wait_for
from tests.unit.fake_libvirt import (
    RECORD,
    SOON,
    TIMEOUT,
    FakeConnection,
    FakeDomain,
    host,
    libvirt_error,
)


@pytest.mark.parametrize(
    "error",
    [
        libvirt_error(libvirt.VIR_ERR_AUTH_FAILED),
        libvirt_error(libvirt.VIR_ERR_OPERATION_DENIED),
        libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 13),
    ],
)
def test_refused_write_access_gives_one_line(opens, error):
    opens(error)
    with pytest.raises(WriteRefusedError, match=r"^uri: [^\n]+$"), host().writer(TIMEOUT):
        pass


def test_libvirtd_that_is_restarted_when_the_writer_connects_refuses_nothing(opens):
    opens(libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 111))
    with pytest.raises(UnreachableError), host().writer(TIMEOUT):
        pass


def test_writer_that_does_not_connect_in_time_is_no_domain_error(monkeypatch, release):
    monkeypatch.setattr(libvirt, "open", lambda uri: release.wait(60) and FakeConnection())
    with pytest.raises(UnreachableError, match=r"^uri: no answer"), host().writer(SOON):
        pass


def test_writer_is_closed_after_use(opens):
    connection = FakeConnection()
    opens(connection)
    with host().writer(TIMEOUT):
        assert connection.closed is False
    assert connection.closed is True


def test_writer_sets_the_period_of_the_running_domain(opens):
    domain = FakeDomain()
    opens(FakeConnection(domain))
    with host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, TIMEOUT)
    assert domain.periods == [(10, libvirt.VIR_DOMAIN_AFFECT_LIVE)]


def test_writer_that_gets_stuck_is_closed_when_it_returns(opens, release):
    connection = FakeConnection(FakeDomain(), lookup=release)
    opens(connection)
    with pytest.raises(DeadlineError), host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, SOON)
    assert connection.closed is False
    release.set()
    wait_for(lambda: connection.closed, 10, "the stuck connection's end")


def test_refused_write_differs_from_an_error(opens):
    denied = libvirt_error(libvirt.VIR_ERR_ACCESS_DENIED)
    opens(FakeConnection(FakeDomain(error=denied)))
    with pytest.raises(WriteRefusedError), host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, TIMEOUT)
