# SPDX-License-Identifier: Apache-2.0
"""Which domains are asked, in which order, and when a failed one is asked again."""

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
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Outcome
from ceilometer_memballoon.retries import RETRY_SECONDS, Retries
from ceilometer_memballoon.write_access import REFUSAL_SECONDS
from tests.unit.fake_host import Clock
from tests.unit.fake_reader import record, unread


class Domains:
    """Retries and their clock. fail() reports the failure of one domain."""

    def __init__(self):
        self.clock = Clock()
        self.retries = Retries(ProblemLog(), self.clock)

    def fail(self, one, error, refusals=None):
        with self.retries.handle_failures(one, "Instance %s: %s", refusals):
            raise error

    def asked(self, one):
        with self.retries.handle_failures(one, "Instance %s: %s"):
            self.clock.sleep(1)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (DomainError("odd"), RETRY_SECONDS),
        (DeadlineError("no answer within 1 s"), RETRY_SECONDS),
        (OverflowError("too large"), RETRY_SECONDS),
        (WriteRefusedError("access denied"), REFUSAL_SECONDS),
    ],
)
def test_failed_domain_is_due_again_later(error, seconds):
    domains = Domains()
    domains.fail(record("a"), error)
    domains.clock.sleep(seconds - 1)
    assert domains.retries.is_due(record("a")) is False
    domains.clock.sleep(1)
    assert domains.retries.is_due(record("a")) is True


def test_failed_domain_delays_no_other():
    domains = Domains()
    domains.fail(record("a"), DomainError("odd"))
    assert domains.retries.is_due(record("b")) is True


@pytest.mark.parametrize(
    "error", [StoppedError("ending"), UnreachableError("gone"), TooManyStuckCallsError("4 calls")]
)
def test_error_of_the_whole_host_is_raised_and_is_no_domain_error(error):
    domains = Domains()
    with pytest.raises(type(error)):
        domains.fail(record("a"), error)
    assert domains.retries.is_due(record("a")) is True


def test_refused_write_is_noted_and_not_logged(caplog):
    refusals, error = [], WriteRefusedError("access denied")
    Domains().fail(record("a"), error, refusals)
    ((refused, noted),) = refusals
    assert (refused, str(noted), caplog.messages) == (record("a"), "access denied", [])


def test_noted_refusal_keeps_no_libvirt_object():
    refusals = []
    Domains().fail(record("a"), WriteRefusedError("access denied"), refusals)
    assert refusals[0][1].__traceback__ is None


def test_departed_domain_is_logged_below_warning(caplog):
    Domains().fail(record("a"), DomainGoneError("no domain"))
    assert caplog.messages == []


def test_domain_that_was_asked_longest_ago_comes_first():
    domains = Domains()
    for uuid in "bca":
        domains.asked(record(uuid))
    order = domains.retries.in_order(map(record, "abcd"))
    assert [one.uuid for one in order] == ["d", "b", "c", "a"]


def test_domain_that_was_not_read_is_not_asked():
    assert Domains().retries.in_order([unread("a", Outcome.BUSY)]) == []


def test_departed_domain_is_forgotten():
    domains = Domains()
    domains.fail(record("a"), DomainError("odd"))
    domains.retries.forget_all_but(set())
    assert domains.retries.is_due(record("a")) is True
