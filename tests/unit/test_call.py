# SPDX-License-Identifier: Apache-2.0
"""A call that is waited for in steps, and left, on real threads."""

import contextlib
import weakref

from ceilometer_memballoon.deadline import Calls
from tests.lab.waiting import wait_for

SOON = 0.02
NEVER = 60


def test_started_call_is_waited_for_in_steps(release):
    call = Calls(1).start(lambda: release.wait(NEVER))
    assert call.wait(SOON) is False
    release.set()
    assert (call.wait(NEVER), call.result()) == (True, True)


def test_returned_call_cannot_be_left():
    call = Calls(1).start(lambda: 7)
    call.wait(NEVER)
    assert (call.leave(), call.left) == (False, False)


def test_call_once_left_stays_left(release):
    late = []
    call = Calls(1).start(lambda: release.wait(NEVER), late.append)
    call.leave()
    release.set()
    wait_for(lambda: call.returned, 10, "the call's return")
    assert call.leave() is True
    assert wait_for(lambda: late, 10, "the late result") == [True]


def test_returned_call_keeps_its_duration():
    call = Calls(1).start(lambda: 7)
    call.wait(NEVER)
    assert call.seconds == call.seconds


def test_duration_of_a_running_call_grows(release):
    call = Calls(1).start(lambda: release.wait(NEVER))
    first = call.seconds
    assert call.seconds > first


class Domain:
    """In the place of a libvirt object, which must be freed as soon as nothing needs it."""


def test_error_keeps_no_object_of_the_caller(no_collector):
    def fail():
        raise ValueError

    def ask():
        domain = Domain()
        with contextlib.suppress(ValueError):
            Calls(1).run(fail, NEVER)
        return weakref.ref(domain)

    assert ask()() is None


def test_late_error_keeps_no_object_of_the_call(no_collector, release):
    domains = []

    def fail():
        domain = Domain()
        domains.append(weakref.ref(domain))
        release.wait(NEVER)
        raise ValueError

    call = Calls(1).start(fail)
    call.leave()
    release.set()
    wait_for(lambda: domains and domains[0]() is None, 10, "the end of the domain")
