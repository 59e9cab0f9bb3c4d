# SPDX-License-Identifier: Apache-2.0
"""Blocking calls with a deadline, on real threads."""

import threading

import pytest

from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import DeadlineError, StoppedError, TooManyStuckCallsError
from tests.lab.waiting import wait_for

SOON = 0.05
NEVER = 60


@pytest.fixture
def release():
    """What stuck calls wait for; set at the end, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


def leave_behind(calls, release, abandoned=lambda result: None):
    with pytest.raises(DeadlineError):
        calls.run(lambda: release.wait(NEVER), SOON, abandoned)


def test_call_in_time_gives_its_result():
    assert Calls().run(lambda: 7, NEVER) == 7


def test_call_in_time_gives_its_exception():
    with pytest.raises(ZeroDivisionError):
        Calls().run(lambda: 1 // 0, NEVER)


def test_exception_of_a_timeout_kind_is_the_calls_own_and_leaves_nothing_behind():
    calls = Calls()

    def fail():
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        calls.run(fail, NEVER)
    assert calls.left_behind == 0


def test_call_that_misses_its_deadline_is_left_behind(release):
    calls = Calls()
    leave_behind(calls, release)
    assert calls.left_behind == 1


def test_call_that_returns_late_is_no_longer_left_behind(release):
    calls = Calls()
    leave_behind(calls, release)
    release.set()
    wait_for(lambda: calls.left_behind == 0, 10, "the call's return")


def test_late_result_goes_to_whom_it_was_left(release):
    results = []
    leave_behind(Calls(), release, results.append)
    release.set()
    assert wait_for(lambda: results, 10, "the late result") == [True]


def test_late_failure_is_told_as_none(release):
    results = []

    def fail():
        release.wait(NEVER)
        raise OSError

    with pytest.raises(DeadlineError):
        Calls().run(fail, SOON, results.append)
    release.set()
    assert wait_for(lambda: results, 10, "the late failure") == [None]


def test_nothing_is_called_with_too_many_left_behind(release):
    calls = Calls(most_left_behind=2)
    leave_behind(calls, release)
    leave_behind(calls, release)
    with pytest.raises(TooManyStuckCallsError):
        calls.run(lambda: pytest.fail("was called"), NEVER)


def test_calls_are_made_again_once_one_has_returned(release):
    calls = Calls(most_left_behind=1)
    leave_behind(calls, release)
    release.set()
    wait_for(lambda: calls.left_behind == 0, 10, "the call's return")
    assert calls.run(lambda: 7, NEVER) == 7


def test_stuck_call_keeps_no_process_from_exiting(release):
    calls = Calls()
    leave_behind(calls, release)
    assert [t for t in threading.enumerate() if not t.daemon] == [threading.main_thread()]


def test_stop_ends_the_wait_for_a_call_under_way(release):
    calls = Calls()
    begun = threading.Event()

    def call():
        begun.set()
        release.wait(NEVER)

    def stop_when_begun():
        begun.wait(NEVER)
        calls.stop()

    threading.Thread(target=stop_when_begun).start()
    with pytest.raises(StoppedError):
        calls.run(call, NEVER)
    assert calls.left_behind == 1


def test_nothing_is_called_after_stop():
    calls = Calls()
    calls.stop()
    with pytest.raises(StoppedError):
        calls.run(lambda: pytest.fail("was called"), NEVER)


def test_call_under_way_counts_as_one_that_may_get_stuck(release):
    calls = Calls(most_left_behind=1)
    begun = threading.Event()

    def call():
        begun.set()
        release.wait(NEVER)

    threading.Thread(target=calls.run, args=(call, NEVER)).start()
    begun.wait(NEVER)
    with pytest.raises(TooManyStuckCallsError):
        calls.run(lambda: pytest.fail("was called"), NEVER)
