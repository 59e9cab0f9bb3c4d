# SPDX-License-Identifier: Apache-2.0
"""Reads that have not ended, with stand-ins for their connections."""

import pytest

from ceilometer_memballoon.errors import DomainError, TooManyStuckCallsError, UnreachableError
from ceilometer_memballoon.pace import MOST_DOMAINS
from ceilometer_memballoon.record import Outcome
from tests.lab.waiting import wait_for
from tests.unit.fake_libvirt import (
    BALLOON,
    LOST,
    RECORD,
    SOON,
    TIMEOUT,
    FakeConnection,
    FakeDomain,
    host,
)


def test_read_gives_records_of_its_domains(opens):
    opens(FakeConnection(FakeDomain("a"), FakeDomain("b")))
    one = host()
    records = one.list_domains(TIMEOUT)
    read = one.start_read(records[:1], BALLOON, TIMEOUT)
    assert read.wait(TIMEOUT)
    assert [(r.uuid, r.outcome) for r in read.result()] == [("a", Outcome.READ)]


def test_read_says_whom_each_of_its_calls_asks(opens):
    opens(FakeConnection(*(FakeDomain(f"{number:02}") for number in range(MOST_DOMAINS))))
    one = host()
    read = one.start_read(one.list_domains(TIMEOUT), BALLOON, TIMEOUT)
    assert read.wait(TIMEOUT)
    assert [boots[0][0] for boots in read.asked] == ["00", f"{MOST_DOMAINS // 2:02}"]


def test_read_of_a_domain_that_has_booted_anew_gives_its_new_boot(opens):
    opens(FakeConnection(FakeDomain("a", ids=(1, 2))))
    one = host()
    (record,) = one.list_domains(TIMEOUT)
    read = one.start_read([record], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    (again,) = read.result()
    read = one.start_read([again], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    assert [r.boot for r in read.result()] == [("a", 2)]


def test_error_of_a_read_is_its_domains_own(opens):
    opens(FakeConnection(FakeDomain(), read=OverflowError("too large")))
    one = host()
    read = one.start_read([RECORD], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    with pytest.raises(DomainError, match="too large"):
        read.result()


def test_connection_lost_by_a_read_is_no_domain_error(opens):
    opens(FakeConnection(FakeDomain(), read=LOST))
    read = host().start_read([RECORD], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    with pytest.raises(UnreachableError):
        read.result()


def test_parked_read_keeps_its_connection_for_itself(opens, release):
    stuck, fresh = FakeConnection(FakeDomain(), read=release), FakeConnection(FakeDomain())
    opens(stuck, fresh)
    one = host()
    read = one.start_read([RECORD], BALLOON, TIMEOUT)
    assert read.wait(SOON) is False
    read.park()
    assert one.is_connected is False
    one.list_domains(TIMEOUT)
    assert (stuck.closed, fresh.closed, fresh.lists) == (False, False, 1)


def test_left_read_closes_its_connection_when_it_returns(opens, release):
    stuck = FakeConnection(FakeDomain(), read=release)
    opens(stuck)
    one = host()
    read = one.start_read([RECORD], BALLOON, TIMEOUT)
    read.park()
    assert (read.leave(), one.stuck_calls) == (True, 1)
    release.set()
    wait_for(lambda: stuck.closed, 10, "the stuck connection's end")
    wait_for(lambda: one.stuck_calls == 0, 10, "the call's end")


def test_parked_read_that_has_returned_is_closed(opens, release):
    stuck = FakeConnection(FakeDomain(), read=release)
    opens(stuck)
    read = host().start_read([RECORD], BALLOON, TIMEOUT)
    read.park()
    release.set()
    assert read.wait(TIMEOUT)
    assert (read.leave(), read.returned, read.seconds < TIMEOUT) == (False, True, True)
    read.close(TIMEOUT)
    assert stuck.closed is True


def test_reads_are_limited_to_the_calls_that_may_get_stuck(opens, release):
    opens(FakeConnection(FakeDomain(), read=release))
    one = host(most_stuck=1)
    one.start_read([RECORD], BALLOON, TIMEOUT)
    with pytest.raises(TooManyStuckCallsError):
        one.start_read([RECORD], BALLOON, TIMEOUT)
