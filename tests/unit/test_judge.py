# SPDX-License-Identifier: Apache-2.0
"""Readings of records, which depend on what is remembered of their domains."""

import pytest

from ceilometer_memballoon.history import History
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.reasons import Reason
from ceilometer_memballoon.record import Outcome
from tests.unit import recorded
from tests.unit.fake_reader import record, unread
from tests.unit.test_history import Processes
from tests.unit.test_period_keeper import FakeHost, balloon

NOW = recorded.LAST_UPDATE + 5
UNREAD = [Outcome.BUSY, Outcome.NOT_RESPONDING, Outcome.NOT_ASKED]


class Node:
    """A judge, its clock and its periods. host: has the domains' XML."""

    def __init__(self, *balloons, boot_seconds=0, **starts):
        self.now = NOW
        self.host = FakeHost(*balloons)
        self.periods = PeriodKeeper(self.host, PeriodRule(0), self.host.clock)
        history = History(boot_seconds, Processes(**starts))
        self.judge = Judge(self.periods, history, lambda: self.now)

    def reading(self, one):
        """Return the reading of the only running domain."""
        self.judge.update([one])
        return self.judge.reading(one)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.BUSY, Reason.BUSY),
        (Outcome.NOT_RESPONDING, Reason.NOT_RESPONDING),
        (Outcome.NOT_ASKED, Reason.NOT_ASKED),
        (Outcome.FAILED, Reason.READ_ERROR),
    ],
)
def test_guest_that_was_not_read_has_a_reason(outcome, reason):
    assert Node().reading(unread("a", outcome)).reason is reason


@pytest.mark.parametrize("outcome", UNREAD)
def test_age_of_a_guest_that_is_not_read_goes_on(outcome):
    node = Node()
    node.reading(record("a"))
    node.now += 60
    assert node.reading(unread("a", outcome)).age == 65


def test_guest_that_has_just_booted_is_booting():
    node = Node(boot_seconds=120, a=NOW - 60)
    assert node.reading(record("a", recorded.NO_DRIVER)).reason is Reason.BOOTING


def test_rebooted_guest_that_reported_before_is_not_driverless():
    node = Node()
    node.reading(record("a"))
    node.now += 300
    assert node.reading(record("a", recorded.NO_DRIVER)).reason is Reason.STALE


def test_further_read_of_a_guest_is_remembered():
    node = Node()
    node.judge.note([record("a")])
    assert node.judge.reading(record("a", recorded.NO_DRIVER)).reason is Reason.STALE


@pytest.mark.parametrize(("period", "reason"), [(60, None), (10, Reason.STALE)])
def test_guest_is_fresh_for_as_long_as_its_own_period_allows(period, reason):
    node = Node(("a", balloon(period)))
    node.periods.ensure([record("a")], (), node.host.clock() + 1)
    node.now = recorded.LAST_UPDATE + 100
    assert node.reading(record("a")).reason is reason


def test_domain_whose_xml_has_no_balloon_device_has_that_reason():
    node = Node(("a", balloon(model="none")))
    node.periods.ensure([record("a")], (), node.host.clock() + 1)
    assert node.reading(record("a", recorded.NO_DRIVER)).reason is Reason.NO_BALLOON_DEVICE
