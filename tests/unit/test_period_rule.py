# SPDX-License-Identifier: Apache-2.0
"""Which statistics period a domain should have."""

import pytest

from ceilometer_memballoon.domain_xml import Balloon, DomainFacts
from ceilometer_memballoon.period_rule import PeriodRule


def facts(period, model="virtio", *, is_nova=True):
    return DomainFacts(Balloon(model, period), None, is_nova, ())


@pytest.mark.parametrize(
    ("chosen", "period", "expected"),
    [
        (True, 0, True),
        (True, 60, True),
        (True, 10, False),
        (False, 0, True),
        (False, 60, False),
        (False, 10, False),
    ],
)
def test_default_only_enables_and_a_set_option_overrides(chosen, period, expected):
    assert PeriodRule(10, chosen=chosen).changes(facts(period)) is expected


@pytest.mark.parametrize("period", [0, -1, 2**31, 2**40])
def test_period_that_no_guest_can_have_changes_none(period):
    assert PeriodRule(period).changes(facts(60)) is False


def test_longest_period_of_libvirt_is_usable():
    assert PeriodRule(2**31 - 1).changes(facts(0)) is True


@pytest.mark.parametrize(("period", "expected"), [(2**31, True), (2**31 - 1, False), (0, False)])
def test_period_above_libvirts_longest_is_too_long(period, expected):
    assert PeriodRule(period).is_too_long is expected


def test_nothing_is_changed_when_periods_may_not_be_set():
    assert PeriodRule(10, may_set=False).changes(facts(0)) is False


def test_domain_that_nova_did_not_make_is_left_alone():
    assert PeriodRule(10).changes(facts(0, is_nova=False)) is False


@pytest.mark.parametrize("model", ["none", "xen"])
def test_domain_without_a_virtio_balloon_is_left_alone(model):
    assert PeriodRule(10).changes(facts(0, model)) is False
