# SPDX-License-Identifier: Apache-2.0
"""Blocking calls with a deadline, on real threads."""

import threading

import pytest

from ceilometer_memballoon.deadline import Calls, countdown
from ceilometer_memballoon.errors import (
    DeadlineError,
    NoAnswerError,
    StoppedError,
    TooManyStuckCallsError,
)
from tests.lab.waiting import wait_for

SOON = 0.02
NEVER = 60


def get_stuck(calls, release, late=lambda result: None):
    with pytest.raises(DeadlineError):
        calls.run(lambda: release.wait(NEVER), SOON, late)


def test_call_in_time_gives_its_result():
    assert Calls(1).run(lambda: 7, NEVER) == 7


def test_call_in_time_gives_its_exception():
    with pytest.raises(ZeroDivisionError):
        Calls(1).run(lambda: 1 // 0, NEVER)


def test_exception_of_a_timeout_kind_is_the_calls_own_and_leaves_nothing_stuck():
    calls = Calls(1)

    def fail():
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        calls.run(fail, NEVER)
    assert calls.stuck == 0


def test_call_that_misses_its_deadline_is_stuck(release):
    calls = Calls(1)
    get_stuck(calls, release)
    assert calls.stuck == 1


def test_deadline_is_named(release):
    with pytest.raises(DeadlineError, match=r"^no answer within 0\.0123 s$"):
        Calls(1).run(lambda: release.wait(NEVER), 0.0123)


def test_expired_deadline_counts_as_zero_seconds(release):
    with pytest.raises(DeadlineError, match=r"^no answer within 0 s$"):
        Calls(1).run(lambda: release.wait(NEVER), -1)


def test_call_that_returns_late_is_no_longer_stuck(release):
    calls = Calls(1)
    get_stuck(calls, release)
    release.set()
    wait_for(lambda: calls.stuck == 0, 10, "the call's return")


def test_late_result_is_passed_on(release):
    results = []
    get_stuck(Calls(1), release, results.append)
    release.set()
    assert wait_for(lambda: results, 10, "the late result") == [True]


def test_late_failure_is_passed_on_as_none(release):
    results = []

    def fail():
        release.wait(NEVER)
        raise OSError

    with pytest.raises(DeadlineError):
        Calls(1).run(fail, SOON, results.append)
    release.set()
    assert wait_for(lambda: results, 10, "the late failure") == [None]


def test_late_result_frees_its_place_although_its_callback_fails(release):
    calls = Calls(1)
    get_stuck(calls, release, lambda result: 1 // 0)
    threading.excepthook, before = (lambda *arguments: None), threading.excepthook
    release.set()
    wait_for(lambda: not calls.under_way, 10, "the call's return")
    threading.excepthook = before


def test_result_in_time_is_not_passed_on_as_late():
    results = []
    Calls(1).run(lambda: 7, NEVER, results.append)
    assert results == []


def test_nothing_is_called_with_too_many_stuck(release):
    calls = Calls(2)
    get_stuck(calls, release)
    get_stuck(calls, release)
    with pytest.raises(TooManyStuckCallsError):
        calls.run(lambda: pytest.fail("was called"), NEVER)


def test_calls_are_made_again_once_one_has_returned(release):
    calls = Calls(1)
    get_stuck(calls, release)
    release.set()
    wait_for(lambda: not calls.under_way, 10, "the call's return")
    assert calls.run(lambda: 7, NEVER) == 7


def test_call_under_way_counts_as_one_that_may_get_stuck(release):
    calls = Calls(1)
    calls.start(lambda: release.wait(NEVER))
    with pytest.raises(TooManyStuckCallsError):
        calls.run(lambda: pytest.fail("was called"), NEVER)


def test_call_under_way_that_is_waited_for_is_not_stuck(release):
    calls = Calls(1)
    calls.start(lambda: release.wait(NEVER))
    assert calls.stuck == 0


def test_thread_that_cannot_be_started_takes_no_place(monkeypatch):
    calls = Calls(1)

    def fail(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(NoAnswerError, match="can't start new thread"):
            calls.run(lambda: 7, NEVER)
    assert calls.run(lambda: 7, NEVER) == 7


def test_stuck_call_keeps_no_process_from_exiting(release):
    get_stuck(Calls(1), release)
    assert [t for t in threading.enumerate() if not t.daemon] == [threading.main_thread()]


def test_stop_ends_the_wait_for_a_call_under_way(release):
    calls = Calls(1)
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
    assert calls.stuck == 1


def test_nothing_is_called_after_stop():
    calls = Calls(1)
    calls.stop()
    with pytest.raises(StoppedError):
        calls.run(lambda: pytest.fail("was called"), NEVER)


def test_countdown_ends_at_zero():
    assert countdown(0)() == 0


def test_countdown_counts_what_is_left():
    left = countdown(NEVER)
    first = left()
    assert NEVER - 10 < left() <= first <= NEVER
