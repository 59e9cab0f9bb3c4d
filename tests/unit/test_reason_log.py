# SPDX-License-Identifier: Apache-2.0
"""Which reasons are logged, when, and at which level."""

import logging

import pytest

from ceilometer_memballoon.reason_log import ReasonLog
from ceilometer_memballoon.reasons import Reason


def log(caplog, *reasons):
    """Update a log with these reasons of one instance, one per cycle."""
    caplog.set_level(logging.DEBUG)
    reason_log = ReasonLog()
    for reason in reasons:
        reason_log.update({"a": reason})


def test_reason_is_logged_when_it_changes(caplog):
    log(caplog, Reason.NO_GUEST_DRIVER, Reason.NO_GUEST_DRIVER, None, None)
    first, second = caplog.messages
    assert first.startswith("Instance a: no memory.usage: no guest driver. The guest has")
    assert second == "Instance a reports its memory again"


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (Reason.BOOTING, "DEBUG"),
        (Reason.GONE, "DEBUG"),
        (Reason.NOT_ASKED, "DEBUG"),
        (Reason.BUSY, "INFO"),
        (Reason.NOT_RESPONDING, "WARNING"),
    ],
)
def test_reason_has_a_level(caplog, reason, level):
    log(caplog, reason)
    assert [r.levelname for r in caplog.records] == [level]


@pytest.mark.parametrize(
    ("reason", "level"), [(Reason.BOOTING, "DEBUG"), (Reason.NOT_RESPONDING, "INFO")]
)
def test_end_of_a_reason_is_logged_no_higher_than_info(caplog, reason, level):
    log(caplog, reason, None)
    assert caplog.records[1].levelname == level


def test_healthy_guest_is_not_mentioned(caplog):
    log(caplog, None, None)
    assert caplog.messages == []


def test_returned_instance_is_logged_again(caplog):
    caplog.set_level(logging.DEBUG)
    reason_log = ReasonLog()
    for reasons in ({"a": Reason.BUSY}, {}, {"a": Reason.BUSY}):
        reason_log.update(reasons)
    assert len(caplog.messages) == 2
