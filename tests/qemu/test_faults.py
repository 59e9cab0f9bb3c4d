# SPDX-License-Identifier: Apache-2.0
"""The fault table, in polling cycles of this process on real guests.

Faults that need the whole agent are in tests/e2e/test_faults.py.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading

import libvirt
import pytest

from ceilometer_memballoon.reading import Reason, usage
from tests.lab.waiting import wait_for
from tests.qemu.conftest import timed_cycle

MOST_LEFT_BEHIND = 4
#: Seconds that a libvirt call may take here.
DEADLINE = 2.0
#: Seconds that a process may take to start or to end.
SECONDS = 30
READ_CONTINUOUSLY = """
import libvirt, sys
connection = libvirt.openReadOnly(sys.argv[1])
print("reading", flush=True)
while True:
    connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_BALLOON, 0)
    for domain in connection.listAllDomains():
        domain.memoryStats()
"""
READ_AND_END = """
import sys
from ceilometer_memballoon.host import (Host)
host = Host(sys.argv[1], 5.0)
host.list_domains(5.0)
print("read", flush=True)
sys.stdin.readline()
"""


def reasons(readings):
    return {uuid: reading.reason for uuid, reading in readings.items()}


def wait_for_answers(collector):
    """Wait until no call is stuck."""
    wait_for(lambda: collector.host.stuck_calls == 0, 30, "stuck calls' return")


@pytest.fixture
def hang():
    """Hang guests until the test ends or until they are resumed."""
    hung = []

    def hang_them(*guests):
        for guest in guests:
            guest.hang()
            hung.append(guest)

    yield hang_them
    for guest in hung:
        guest.unhang()


@pytest.fixture
def slow_dump(hypervisor):
    """Hold a live dump of the guest while the context is active."""

    @contextlib.contextmanager
    def dump(guest):
        pipe = hypervisor.folder / "pipe"
        os.mkfifo(pipe)
        pipe.chmod(0o666)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        connection = libvirt.open(hypervisor.uri)
        domain = connection.lookupByUUIDString(guest.uuid)
        job = threading.Thread(
            target=domain.coreDump, args=(str(pipe), libvirt.VIR_DUMP_LIVE), daemon=True
        )
        job.start()
        try:
            wait_for(lambda: guest.domain.jobInfo()[0] != 0, 10, "the dump to begin")
            yield
        finally:
            os.set_blocking(reader, True)
            while os.read(reader, 2**20):
                pass
            job.join(60)
            os.close(reader)
            connection.close()
            pipe.unlink()

    return dump


@pytest.mark.by_version
def test_hung_guest_costs_one_deadline_once_and_no_other_guest(
    boot_many, make_collector, hang, measured
):
    hung, *others = boot_many(3)
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    _, normal = timed_cycle(collector)
    hang(hung)
    expected = {guest.uuid: None for guest in others} | {hung.uuid: Reason.NOT_RESPONDING}
    first, first_seconds = timed_cycle(collector)
    later = [timed_cycle(collector) for _ in range(5)]
    measured(
        "one of three hung", f"normal cycle {normal * 1000:.0f} ms, first with the hung guest "
        f"{first_seconds:.2f} s of {DEADLINE:g} s, then {later[0][1] * 1000:.0f} ms",
    )  # fmt: skip
    assert [first, *(found for found, _ in later)] == [expected] * 6
    assert first_seconds < DEADLINE + normal
    # The deadline is not waited for again.
    assert max(seconds for _, seconds in later) < DEADLINE / 4


def test_hung_guest_is_back_in_the_first_cycle_after_it_answers(boot_many, make_collector, hang):
    hung, other = boot_many(2)
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    hang(hung)
    collector.readings({}, [])
    hung.unhang()
    wait_for_answers(collector)
    assert reasons(collector.readings({}, [])) == {hung.uuid: None, other.uuid: None}


def test_three_hung_guests_of_eight_cost_the_others_nothing(
    boot_many, make_collector, hang, measured
):
    guests = boot_many(8)
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    hang(*guests[:3])
    found, seconds = timed_cycle(collector)
    measured("three of eight hung", f"first cycle {seconds:.2f} s, deadline {DEADLINE:g} s")
    expected = {guest.uuid: Reason.NOT_RESPONDING for guest in guests[:3]}
    assert found == expected | {guest.uuid: None for guest in guests[3:]}
    assert seconds < 3 * DEADLINE


def test_hung_guests_beyond_the_limit_stall_neither_agent_nor_libvirtd(
    boot_many, make_collector, hypervisor, hang, measured, caplog
):
    guests = boot_many(MOST_LEFT_BEHIND + 2)
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    hang(*guests[:-1])
    cycles = [timed_cycle(collector) for _ in range(3)]
    measured(
        "five of six hung", "cycles of " + ", ".join(f"{s:.2f} s" for _, s in cycles)
        + f", deadline {DEADLINE:g} s",
    )  # fmt: skip
    expected = {guest.uuid: Reason.NOT_RESPONDING for guest in guests[:-1]}
    assert [found for found, _ in cycles] == [expected | {guests[-1].uuid: None}] * 3
    assert max(seconds for _, seconds in cycles) < DEADLINE
    command = ["virsh", "-c", hypervisor.uri, "dommemstat", guests[-1].name]
    assert "rss" in subprocess.run(command, check=True, text=True, timeout=10,
                                   stdout=subprocess.PIPE).stdout  # fmt: skip
    for guest in guests:
        guest.unhang()
    wait_for_answers(collector)
    assert reasons(collector.readings({}, [])) == {guest.uuid: None for guest in guests}


@pytest.mark.by_version
def test_hung_guest_that_needs_its_period_set_gets_it_once_it_is_back(
    boot_many, make_collector, hang
):
    hung, other = boot_many(2, period=None)
    collector = make_collector(timeout=DEADLINE)
    hang(hung)
    while_hung = reasons(collector.readings({}, []))
    assert while_hung == {hung.uuid: Reason.NOT_RESPONDING, other.uuid: None}
    assert (hung.live_period(), other.live_period()) == (0, 10)
    hung.unhang()
    wait_for_answers(collector)
    assert reasons(collector.readings({}, [])) == {hung.uuid: None, other.uuid: None}
    assert hung.live_period() == 10


@pytest.mark.by_version
def test_libvirtd_restarted_between_two_cycles_costs_none(boot, make_collector, hypervisor):
    guest = boot()
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    hypervisor.restart_daemon()
    assert reasons(collector.readings({}, [])) == {guest.uuid: None}


def test_libvirtd_stopped_within_a_cycle_ends_it_within_the_deadline(
    boot, make_collector, hypervisor, measured
):
    guest = boot()
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    _, normal = timed_cycle(collector)
    hypervisor.signal_daemon(signal.SIGSTOP)
    try:
        found, seconds = timed_cycle(collector)
    finally:
        hypervisor.signal_daemon(signal.SIGCONT)
    measured("libvirtd stopped", f"cycle {seconds:.2f} s, deadline {DEADLINE:g} s")
    assert found == {}
    assert seconds < DEADLINE + normal
    wait_for_answers(collector)
    assert reasons(collector.readings({}, [])) == {guest.uuid: None}


def test_process_with_an_idle_connection_ends_while_libvirtd_is_stopped(hypervisor):
    command = [sys.executable, "-c", READ_AND_END, hypervisor.uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"read\n"
        hypervisor.signal_daemon(signal.SIGSTOP)
        try:
            process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            hypervisor.signal_daemon(signal.SIGCONT)
    assert process.returncode == 0


@pytest.mark.by_version
def test_libvirtd_killed_within_a_cycle_ends_it_within_the_deadline(
    boot_many, make_collector, hypervisor, hang
):
    hung, other = boot_many(2)
    collector = make_collector(timeout=DEADLINE)
    collector.readings({}, [])
    # The hung guest keeps the cycle running until libvirtd is killed.
    hang(hung)
    cycle = []
    thread = threading.Thread(target=lambda: cycle.append(timed_cycle(collector)))
    thread.start()
    wait_for(lambda: hung.domain.controlInfo()[0] != 0, DEADLINE, "the call to get stuck")
    hypervisor.stop_daemon(signal.SIGKILL)
    thread.join(2 * DEADLINE)
    ((found, seconds),) = cycle
    assert found == {}
    assert seconds < DEADLINE
    hung.unhang()
    hypervisor.start_daemon()
    assert reasons(collector.readings({}, [])) == {hung.uuid: None, other.uuid: None}


@pytest.mark.parametrize("step", ["live_xml", "has_job", "writer"])
def test_guest_destroyed_during_a_cycle_costs_the_others_nothing(
    boot_many, make_collector, monkeypatch, caplog, step
):
    caplog.set_level(logging.DEBUG)
    leaving, staying = boot_many(2, period=None)
    collector = make_collector()
    real = getattr(collector.host, step)

    def destroy_first(*arguments):
        leaving.destroy()
        return real(*arguments)

    monkeypatch.setattr(collector.host, step, destroy_first)
    assert collector.readings({}, [])[staying.uuid].reason is None
    assert staying.live_period() == 10
    assert [r.getMessage() for r in caplog.records if r.levelno > logging.INFO] == []


def test_guest_started_between_two_cycles_is_in_the_next(boot, make_collector):
    first = boot("instance-1")
    collector = make_collector()
    collector.readings({}, [])
    second = boot("instance-2", period=None)
    assert reasons(collector.readings({}, [])) == {first.uuid: None, second.uuid: None}


@pytest.mark.by_version
def test_guest_with_a_long_job_is_read_and_its_period_is_set_after_it(
    boot, make_collector, slow_dump
):
    guest = boot(period=None)
    collector = make_collector()
    with slow_dump(guest):
        assert reasons(collector.readings({}, [])) == {guest.uuid: None}
        assert guest.live_period() == 0
    assert reasons(collector.readings({}, [])) == {guest.uuid: None}
    assert guest.live_period() == 10


def test_another_client_reading_continuously_costs_no_sample(boot_many, make_collector, hypervisor):
    guests = boot_many(3)
    collector = make_collector()
    collector.readings({}, [])
    reader = subprocess.Popen(
        [sys.executable, "-c", READ_CONTINUOUSLY, hypervisor.uri], stdout=subprocess.PIPE
    )
    try:
        assert reader.stdout.readline() == b"reading\n"
        cycles = [reasons(collector.readings({}, [])) for _ in range(50)]
        assert reader.poll() is None
    finally:
        reader.kill()
        reader.communicate(timeout=10)
    assert cycles == [{guest.uuid: None for guest in guests}] * 50


@pytest.mark.by_version
@pytest.mark.parametrize("fault", ["panic", "unload_driver"])
def test_silent_guest_keeps_only_its_resident_memory(boot, make_collector, fault):
    guest = boot(period=1)
    # The clock is ahead, so statistics of 6 s ago are older than the limit of 30 s.
    collector = make_collector(period=1, ahead=25)
    assert collector.readings({}, [])[guest.uuid].reason is None
    getattr(guest, fault)()
    wait_for(lambda: collector.readings({}, [])[guest.uuid].reason is Reason.STALE, 30, "staleness")
    reading = collector.readings({}, [])[guest.uuid]
    assert (usage(reading.guest), reading.host["rss"] > 0) == (None, True)
