# SPDX-License-Identifier: Apache-2.0
"""When a host counts as refusing all writes, and the connection that writes."""

import contextlib
import logging

import pytest

from ceilometer_memballoon.errors import WriteRefusedError
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.write_access import (
    MOST_REFUSALS,
    REFUSAL_SECONDS,
    Attempt,
    WriteAccess,
)
from tests.unit.fake_host import Clock
from tests.unit.fake_reader import record

DENIED = WriteRefusedError("access denied")


def attempt(done=(), refusals=0):
    made = Attempt(None, 0.0)
    made.done |= set(done)
    made.refusals += [(record(f"r{number}"), DENIED) for number in range(refusals)]
    return made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def access(clock):
    return WriteAccess(ProblemLog(), clock)


def test_host_that_refuses_is_asked_again_after_a_while(access, clock):
    access.refuse(DENIED)
    clock.sleep(REFUSAL_SECONDS - 1)
    assert access.is_refused is True
    clock.sleep(1)
    assert access.is_refused is False


@pytest.mark.parametrize(
    ("done", "refusals", "is_refused"),
    [
        ((), MOST_REFUSALS - 1, False),
        ((), MOST_REFUSALS, True),
        (("a",), MOST_REFUSALS, False),
        ((), 0, False),
    ],
)
def test_several_refusals_without_a_success_count_for_the_host(access, done, refusals, is_refused):
    access.note_step(attempt(done, refusals))
    assert access.is_refused is is_refused


@pytest.mark.parametrize(
    ("done", "refusals", "is_refused"), [((), 1, True), (("a",), 1, False), ((), 0, False)]
)
def test_attempt_refused_by_all_counts_for_the_host(access, done, refusals, is_refused):
    access.note_end(attempt(done, refusals))
    assert access.is_refused is is_refused


def test_refusal_counts_for_the_domain_if_another_was_set(access, caplog):
    access.note_end(attempt(["a"], 1))
    assert caplog.messages == ["Statistics period of instance r0 cannot be set: access denied"]


def test_access_that_is_granted_again_is_logged(access, caplog):
    caplog.set_level(logging.INFO)
    access.refuse(DENIED)
    access.note_end(attempt(["a"]))
    assert caplog.messages[1:] == ["Statistics periods can be set again."]


def test_connection_is_opened_once_when_needed_and_closed_with_the_attempt():
    seen = []

    class Host:
        @contextlib.contextmanager
        def writer(self, seconds):
            seen.append("opened")
            yield self
            seen.append("closed")

    made = Attempt(Host(), 0.0)
    with made:
        assert seen == []
        assert made.open_writer(1.0) is made.open_writer(1.0)
        assert seen == ["opened"]
    assert seen == ["opened", "closed"]
