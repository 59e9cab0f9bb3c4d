# SPDX-License-Identifier: Apache-2.0
"""Many guests hang, or all are slow, in cycles of this process on real guests."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import libvirt
import psutil
import pytest

from ceilometer_memballoon.reading import Reason
from tests.lab.guest import Guest
from tests.lab.waiting import wait_for

#: Seconds that a cycle may take here.
TIMEOUT = 2.0
#: Seconds that any other command may take.
SECONDS = 30
BUDGET = 4


@pytest.fixture
def halted():
    """Stop the QEMU processes of guests until the test ends or they are
    released."""
    stopped = []

    def halt(*guests):
        for guest in guests:
            guest.hang()
            stopped.append(guest)

    yield halt
    release(stopped)


def release(guests):
    for guest in guests:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            guest.unhang()


def boot_paused(hypervisor, count):
    """Return guests that never run. They use no CPU, and libvirt reads them like others."""
    return [Guest(hypervisor, f"instance-{number:02d}", paused=True) for number in range(count)]


def timed_cycle(collector):
    begin = time.monotonic()
    readings = collector.readings({}, [])
    return readings, time.monotonic() - begin


def reported(readings):
    """Return the UUIDs of the guests whose resident memory was read."""
    return {uuid for uuid, reading in readings.items() if reading.host.get("rss")}


def uuids(guests):
    return {guest.uuid for guest in guests}


def occupied(hypervisor):
    """Return how many monitors a libvirt client keeps occupied."""
    states = [domain.controlInfo()[0] for domain in hypervisor.connection.listAllDomains()]
    return states.count(libvirt.VIR_DOMAIN_CONTROL_OCCUPIED)


def wait_for_answers(collector):
    wait_for(lambda: collector.host.stuck_calls == 0, SECONDS, "the return of stuck calls")


def test_seven_hung_guests_of_twelve_cost_the_others_nothing(
    own_hypervisor, make_collector, halted, measured
):
    guests = boot_paused(own_hypervisor, 12)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT)
    _, normal = timed_cycle(collector)
    halted(*guests[:7])
    cycles = [timed_cycle(collector) for _ in range(4)]
    measured(
        "seven of twelve hung",
        f"normal cycle {normal * 1000:.0f} ms, then "
        + ", ".join(f"{seconds:.2f} s" for _, seconds in cycles),
    )
    assert [reported(readings) for readings, _ in cycles] == [uuids(guests[7:])] * 4
    assert cycles[0][1] < normal + 1
    hung = [cycles[-1][0][guest.uuid].reason for guest in guests[:7]]
    assert hung == [Reason.NOT_RESPONDING] * 7
    assert occupied(own_hypervisor) <= BUDGET


@pytest.mark.by_version
def test_storage_outage_and_the_operators_command_leave_libvirtd_usable(
    own_hypervisor, make_collector, halted, measured, tmp_path
):
    guests = boot_paused(own_hypervisor, 26)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT)
    collector.readings({}, [])
    halted(*guests[:24])
    cycles = [timed_cycle(collector) for _ in range(3)]
    assert [reported(readings) for readings, _ in cycles] == [uuids(guests[24:])] * 3
    config = tmp_path / "ceilometer.conf"
    config.write_text(
        f"[DEFAULT]\nlibvirt_uri = {own_hypervisor.uri}\n"
        f"[memballoon]\nlibvirt_timeout = {TIMEOUT}\n"
    )
    for words in (["guest", "list"], ["check"]) * 2:
        command = [sys.executable, "-m", "ceilometer_memballoon.cli.main"]
        done = subprocess.run(
            [*command, "--config-file", str(config), *words],
            check=False, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        if words == ["guest", "list"]:
            assert done.stdout.count("not responding") == 24
    stuck = occupied(own_hypervisor)
    virsh = ["virsh", "-c", own_hypervisor.uri, "dumpxml", guests[-1].name]
    begin = time.monotonic()
    subprocess.run(virsh, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)
    measured(
        "24 of 26 hung",
        f"cycles of {', '.join(f'{s:.2f} s' for _, s in cycles)}; {stuck} monitors occupied after "
        f"four commands; virsh dumpxml of a healthy guest {time.monotonic() - begin:.2f} s",
    )
    assert stuck <= BUDGET


def test_outage_that_proc_does_not_show_stays_within_the_budget(
    own_hypervisor, make_collector, halted, caplog
):
    guests = boot_paused(own_hypervisor, 12)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT, proc=False)
    collector.readings({}, [])
    halted(*guests[:10])
    cycles = [timed_cycle(collector)[0] for _ in range(4)]
    assert occupied(own_hypervisor) <= BUDGET
    reasons = {reading.reason for reading in cycles[-1].values()}
    assert Reason.NOT_ASKED in reasons or reported(cycles[-1]) == uuids(guests[10:])
    release(guests[:10])
    wait_for_answers(collector)
    assert reported(collector.readings({}, [])) == uuids(guests)


def test_guest_that_answers_during_an_outage_is_reported_without_proc(
    own_hypervisor, make_collector, halted
):
    guests = boot_paused(own_hypervisor, 8)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT, proc=False)
    collector.readings({}, [])
    halted(guests[0])
    first = [reported(collector.readings({}, [])) for _ in range(2)]
    halted(guests[1], guests[2])
    later = [reported(collector.readings({}, [])) for _ in range(3)]
    assert (first, later) == ([uuids(guests[1:])] * 2, [uuids(guests[3:])] * 3)


def test_another_clients_stuck_calls_count(own_hypervisor, make_collector, halted, caplog):
    guests = boot_paused(own_hypervisor, 8)
    halted(*guests[:6])
    clients = [
        subprocess.Popen(
            ["virsh", "-c", own_hypervisor.uri, "dommemstat", guest.name],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for guest in guests[:BUDGET]
    ]  # fmt: skip
    try:
        wait_for(lambda: occupied(own_hypervisor) == BUDGET, SECONDS, "stuck calls")
        states = [guest.domain.controlInfo() for guest in guests[:BUDGET]]
        wait_for(lambda: states and time.sleep(1.1) is None, SECONDS, "their age")
        collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT, proc=False)
        readings = collector.readings({}, [])
        assert occupied(own_hypervisor) == BUDGET
    finally:
        release(guests)
        for client in clients:
            client.communicate(timeout=SECONDS)
    reasons = [readings[guest.uuid].reason for guest in guests]
    assert reasons == [Reason.NOT_RESPONDING] * BUDGET + [Reason.NOT_ASKED] * 4
    assert sum("are stuck on this host" in text for text in caplog.messages) == 1


def test_libvirtd_restarted_during_an_outage_costs_no_healthy_guest(
    own_hypervisor, make_collector, halted, measured
):
    guests = boot_paused(own_hypervisor, 8)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT)
    collector.readings({}, [])
    halted(*guests[:5])
    collector.readings({}, [])
    own_hypervisor.stop_daemon(signal.SIGKILL)
    own_hypervisor.start_daemon()
    cycles = []
    wait_for(
        lambda: cycles.append(timed_cycle(collector))
        or reported(cycles[-1][0]) == uuids(guests[5:]),
        SECONDS, "the healthy guests",
    )  # fmt: skip
    measured("libvirtd restarted in an outage", f"cycles of {[round(s, 2) for _, s in cycles]} s")
    assert max(seconds for _, seconds in cycles) < TIMEOUT + 1


def test_ten_outages_leave_no_thread_descriptor_or_connection(
    own_hypervisor, make_collector, halted
):
    guests = boot_paused(own_hypervisor, 6)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT)

    def outage():
        halted(*guests[:4])
        collector.readings({}, [])
        collector.readings({}, [])
        release(guests[:4])
        wait_for_answers(collector)
        wait_for(lambda: reported(collector.readings({}, [])) == uuids(guests), SECONDS, "all")

    def resources():
        descriptors = len(list(pathlib.Path("/proc/self/fd").iterdir()))
        return threading.active_count(), descriptors

    outage()
    before = wait_for(resources, SECONDS, "a count")
    for _ in range(10):
        outage()
    wait_for(lambda: resources() <= before, SECONDS, "no more than before", lambda: f"{before}")


@pytest.fixture
def slow_qemus():
    """Stop each guest's QEMU and let it answer what it was asked every ``seconds`` seconds."""
    end = threading.Event()
    threads = []

    def slow_down(guests, seconds):
        def toggle(pid, phase):
            process = psutil.Process(pid)
            end.wait(phase)
            while not end.is_set():
                os.kill(pid, signal.SIGSTOP)
                end.wait(seconds)
                os.kill(pid, signal.SIGCONT)
                # On a loaded machine a QEMU process gets no processor at once.
                while not end.wait(0.01) and process.status() == psutil.STATUS_RUNNING:
                    pass

        for number, guest in enumerate(guests):
            thread = threading.Thread(target=toggle, args=(guest.pid, number * 0.03), daemon=True)
            thread.start()
            threads.append(thread)

    yield slow_down
    end.set()
    for thread in threads:
        thread.join(SECONDS)


def test_slow_guests_take_turns_and_none_counts_as_hung(
    own_hypervisor, make_collector, slow_qemus, measured, caplog
):
    guests = boot_paused(own_hypervisor, 12)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT, proc=False)
    collector.readings({}, [])
    slow_qemus(guests, 0.4)
    cycles = [timed_cycle(collector) for _ in range(10)]
    settled = cycles[2:]
    counts = [len(reported(readings)) for readings, _ in cycles]
    measured(
        "twelve guests that answer within 0.4 s",
        f"{counts} reported in cycles of up to {max(s for _, s in cycles):.2f} s",
    )
    assert max(seconds for _, seconds in cycles) < TIMEOUT + 0.5
    for first in range(len(settled) - 3):
        seen = set().union(*(reported(readings) for readings, _ in settled[first : first + 4]))
        assert seen == uuids(guests)
    reasons = {reading.reason for readings, _ in settled for reading in readings.values()}
    assert Reason.NOT_RESPONDING not in reasons
    assert sum("libvirt is slow" in text for text in caplog.messages) == 1


@contextlib.contextmanager
def forwarder(path):
    """Run a process that forwards a TCP port to a socket. Yield its port and the process."""
    program = (
        "import socket, sys, threading\n"
        "def copy(a, b):\n"
        "    while data := a.recv(65536): b.sendall(data)\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\n"
        "while True:\n"
        "    client, _ = server.accept()\n"
        "    target = socket.socket(socket.AF_UNIX); target.connect(sys.argv[1])\n"
        "    for pair in ((client, target), (target, client)):\n"
        "        threading.Thread(target=copy, args=pair, daemon=True).start()\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def test_remote_libvirtd_that_goes_silent_uses_up_no_budget(own_hypervisor, make_collector):
    (guest,) = boot_paused(own_hypervisor, 1)
    with forwarder(own_hypervisor.socket) as (port, process):
        uri = f"qemu+tcp://127.0.0.1:{port}/session"
        collector = make_collector(uri=uri, timeout=TIMEOUT)
        assert reported(collector.readings({}, [])) == {guest.uuid}
        process.send_signal(signal.SIGSTOP)
        silent = [timed_cycle(collector) for _ in range(6)]
        assert [readings for readings, _ in silent] == [{}] * 6
        assert max(seconds for _, seconds in silent) < TIMEOUT + 0.5
        with forwarder(own_hypervisor.socket) as (_, _other):
            process.send_signal(signal.SIGCONT)
            wait_for(
                lambda: reported(collector.readings({}, [])) == {guest.uuid}, SECONDS, "the guest"
            )


def test_calls_on_a_lost_connection_return(own_hypervisor, make_collector):
    with forwarder(own_hypervisor.socket) as (port, process):
        collector = make_collector(uri=f"qemu+tcp://127.0.0.1:{port}/session", timeout=TIMEOUT)
        collector.readings({}, [])
        process.send_signal(signal.SIGSTOP)
        assert collector.readings({}, []) == {}
        # Keepalive messages end the calls, although the other end never closes the connection.
        wait_for(lambda: not collector.host._calls.daemon.under_way, 60, "the calls' return")
