# SPDX-License-Identifier: Apache-2.0
"""What /proc shows of QEMU processes, with stand-ins for psutil's."""

import threading

import psutil
import pytest

from ceilometer_memballoon import qemu_process
from ceilometer_memballoon.qemu_process import QemuProcesses

A, B = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"


class Process:
    """A process. statuses: what status() returns in turn; the last one repeats."""

    def __init__(self, *command, statuses=(psutil.STATUS_SLEEPING,), created=100.0):
        self.command = list(command)
        self.statuses = list(statuses)
        self.created = created
        self.is_there = True

    def is_running(self):
        return self.is_there

    def cmdline(self):
        return _give(self.command)

    def status(self):
        return _give(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    def create_time(self):
        return _give(self.created)


def _give(value):
    if isinstance(value, Exception):
        raise value
    return value


def qemu(uuid, *statuses, **kind):
    return Process("qemu", "-name", "x", "-uuid", uuid, "-m", "1", statuses=statuses, **kind)


class Table(list):
    """The processes. searches: how often they were searched."""

    searches = 0


@pytest.fixture
def table(monkeypatch):
    table = Table()

    def iterate():
        table.searches += 1
        return iter(table)

    monkeypatch.setattr(psutil, "process_iter", iterate)
    return table


def processes():
    return QemuProcesses(pause=lambda seconds: None)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (psutil.STATUS_DISK_SLEEP, psutil.STATUS_DISK_SLEEP, {A}),
        (psutil.STATUS_STOPPED, psutil.STATUS_STOPPED, {A}),
        (psutil.STATUS_TRACING_STOP, psutil.STATUS_TRACING_STOP, {A}),
        (psutil.STATUS_DISK_SLEEP, psutil.STATUS_SLEEPING, set()),
        (psutil.STATUS_SLEEPING, psutil.STATUS_DISK_SLEEP, set()),
        (psutil.STATUS_RUNNING, psutil.STATUS_RUNNING, set()),
    ],
)
def test_qemu_is_halted_if_two_checks_say_so(table, first, second, expected):
    table.append(qemu(A, first, second))
    assert processes().halted([A]) == expected


def test_two_checks_are_a_moment_apart(table):
    table.append(qemu(A, psutil.STATUS_STOPPED))
    paused = []
    QemuProcesses(pause=paused.append).halted([A])
    assert paused == [qemu_process.SECOND_CHECK]


def test_check_does_not_wait_when_no_qemu_is_halted(table):
    table.append(qemu(A, psutil.STATUS_SLEEPING))
    assert QemuProcesses(pause=lambda seconds: pytest.fail("waited")).halted([A]) == set()


def test_only_wanted_domains_are_checked(table):
    table += [qemu(A, psutil.STATUS_STOPPED), qemu(B, psutil.STATUS_STOPPED)]
    assert processes().halted([B]) == {B}


def test_uuid_on_the_command_line_may_be_in_capitals(table):
    table.append(qemu(A.upper(), psutil.STATUS_STOPPED))
    assert processes().halted([A]) == {A}


@pytest.mark.parametrize("command", [(), ("bash",), ("qemu", "-uuid")])
def test_process_without_a_uuid_is_no_domains(table, command):
    table.append(Process(*command, statuses=(psutil.STATUS_STOPPED,)))
    assert processes().halted([A]) == set()


@pytest.mark.parametrize("error", [psutil.NoSuchProcess(1), psutil.AccessDenied(1)])
def test_unreadable_process_hides_no_other(table, error):
    hidden = Process()
    hidden.command = error
    table += [hidden, qemu(A, psutil.STATUS_STOPPED)]
    assert processes().halted([A]) == {A}


def test_process_that_ends_between_two_checks_is_not_halted(table):
    table.append(qemu(A, psutil.STATUS_STOPPED, psutil.NoSuchProcess(1)))
    assert processes().halted([A]) == set()


def test_known_processes_are_not_searched_again(table):
    table.append(qemu(A, psutil.STATUS_SLEEPING))
    known = processes()
    known.halted([A])
    known.halted([A])
    assert table.searches == 1


def test_restarted_qemu_is_found_again(table):
    table.append(qemu(A, psutil.STATUS_STOPPED))
    known = processes()
    known.halted([A])
    table[0].is_there = False
    table[:] = [qemu(A, psutil.STATUS_SLEEPING)]
    assert known.halted([A]) == set()


def test_start_of_each_qemu_is_known(table):
    table += [qemu(A, created=1.0), qemu(B, created=2.0)]
    assert processes().started([A, B]) == {A: 1.0, B: 2.0}


def test_all_starts_are_found_in_one_search(table):
    table += [qemu(A), qemu(B)]
    processes().started([A, B, "c"])
    assert table.searches == 1


def test_qemu_that_is_not_shown_has_no_start(table):
    assert processes().started([A]) == {}


def test_qemu_that_ends_while_it_is_checked_has_no_start(table):
    table.append(qemu(A, created=psutil.NoSuchProcess(1)))
    assert processes().started([A]) == {}


def test_stuck_check_is_neither_awaited_nor_repeated(table, monkeypatch):
    release, begun = threading.Event(), []
    monkeypatch.setattr(qemu_process, "PROC_SECONDS", 0.02)
    stuck = Process()
    stuck.cmdline = lambda: begun.append(1) or release.wait(60) or []
    table.append(stuck)
    known = processes()
    assert (known.halted([A]), known.halted([A]), known.started([A])) == (set(), set(), {})
    release.set()
    assert len(begun) == 1
