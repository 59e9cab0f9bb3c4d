# SPDX-License-Identifier: Apache-2.0
"""The fault table, in the real ceilometer-polling on real guests.

Faults that show in one polling cycle are in tests/qemu/test_faults.py.
"""

import subprocess
import time

import pytest

from ceilometer_memballoon.reading import FRESH_SECONDS, Reason
from tests.lab.agent import Agent
from tests.lab.clock import Clock
from tests.lab.guest import Guest
from tests.lab.privileged import ACCESS_CONTROL, ROOT_WRITES, PrivilegedHypervisor
from tests.lab.waiting import wait_for

SECONDS = 60
DEADLINE = 2.0
#: Seconds that an agent with a stuck call may take longer to end than a healthy agent. A busy
#: machine stays below. Waiting for the call would take 16 s, and cotyledon gives up after 60 s.
PATIENCE = 10.0

FORGERY = "2026-11-24 00:00:00.000 1 ERROR ceilometer_memballoon [-] forged"


def wait_for_usage(agent, *guests):
    def all_there():
        return all(agent.usage(guest.uuid) for guest in guests)

    wait_for(all_there, SECONDS, "memory.usage of all guests", agent.log_text)


def wait_for_reason(agent, guest, reason):
    wait_for(lambda: agent.reason(guest.uuid) == reason.value, SECONDS, str(reason), agent.log_text)


def lines_about(agent, text):
    return [line for line in agent.own_lines() if text in line]


def test_hung_guest_is_logged_once_and_others_are_reported(boot_many, start_agent):
    hung, *others = boot_many(3)
    agent = start_agent(interval=1, timeout=DEADLINE)
    wait_for_usage(agent, hung, *others)
    hung.hang()
    try:
        wait_for_reason(agent, hung, Reason.NOT_RESPONDING)
        agent.wait_for_cycles(3)
        wait_for_usage(agent, *others)
        assert agent.usage(hung.uuid) is None
        assert len(lines_about(agent, f"{hung.uuid}: no memory.usage")) == 1
    finally:
        hung.unhang()
    wait_for_usage(agent, hung)


def test_agent_uses_a_libvirtd_that_starts_later(boot, start_agent, hypervisor):
    guest = boot(period=None)
    hypervisor.stop_daemon()
    try:
        agent = start_agent(interval=1, timeout=DEADLINE)
        agent.wait_for_line("instances of the last polling cycle")
    finally:
        hypervisor.start_daemon()
    wait_for_usage(agent, guest)


def test_libvirtd_restart_logs_no_warning(boot, start_agent, hypervisor):
    guest = boot()
    agent = start_agent(interval=1, timeout=DEADLINE)
    wait_for_usage(agent, guest)
    hypervisor.restart_daemon()
    agent.wait_for_cycles(3)
    wait_for_usage(agent, guest)
    assert lines_about(agent, "WARNING") == []


def test_departed_guest_logs_nothing_above_debug(boot, start_agent):
    leaving, staying = boot("instance-1"), boot("instance-2", period=None)
    agent = start_agent(interval=1)
    wait_for_usage(agent, leaving, staying)
    leaving.destroy()
    agent.wait_for_cycles(2)
    wait_for_usage(agent, staying)
    assert agent.usage(leaving.uuid) is None
    assert lines_about(agent, leaving.uuid) == []


def test_refused_write_access_gives_one_warning_and_all_samples(privileged, boot_on, start_agent):
    hypervisor = privileged(ROOT_WRITES)
    switched_off = boot_on(hypervisor, "instance-1", period=None)
    switched_on = boot_on(hypervisor, "instance-2", period=2)
    agent = start_agent(
        hypervisor=hypervisor, interval=1, prefix=hypervisor.as_user, uri="qemu:///system"
    )
    wait_for_usage(agent, switched_on, switched_off)
    agent.wait_for_cycles(5)
    (warning,) = lines_about(agent, "WARNING")
    assert "Allow the agent's user to write to libvirt" in warning
    assert (switched_off.live_period(), switched_on.live_period()) == (0, 2)


def test_polkit_rule_allows_what_the_agent_needs(privileged, boot_on, start_agent):
    hypervisor = privileged(ACCESS_CONTROL)
    guest = boot_on(hypervisor, "instance-1", period=None)
    agent = start_agent(
        hypervisor=hypervisor, interval=1, prefix=hypervisor.as_user, uri="qemu:///system"
    )
    wait_for_usage(agent, guest)
    assert guest.live_period() == 10
    assert lines_about(agent, "WARNING") == []


@pytest.mark.parametrize(
    "command",
    [
        ["suspend", "instance-1"],
        ["destroy", "instance-1"],
        ["undefine", "instance-1"],
        ["dumpxml", "--security-info", "instance-1"],
        ["dump", "instance-1", "/tmp/never"],
    ],
    ids=lambda command: command[0],
)
def test_polkit_rule_denies_what_the_agent_does_not_need(access_controlled, command):
    virsh = [*access_controlled.as_user, "virsh", "-c", "qemu:///system", *command]
    denied = subprocess.run(virsh, check=False, text=True, capture_output=True, timeout=SECONDS)
    assert "access denied" in denied.stderr


def test_write_right_includes_the_qemu_monitor(access_controlled):
    # The comment in the rule's file says so. If libvirt ever separates these rights, the rule must
    # change.
    query = ["qemu-monitor-command", "instance-1", '{"execute": "query-status"}']
    virsh = [*access_controlled.as_user, "virsh", "-c", "qemu:///system", *query]
    answer = subprocess.run(virsh, text=True, capture_output=True, check=True, timeout=SECONDS)
    assert "prelaunch" in answer.stdout or "paused" in answer.stdout


@pytest.fixture(scope="module")
def access_controlled(root_only):
    """A libvirtd with access control and the rule, and a paused guest on it."""
    with PrivilegedHypervisor(ACCESS_CONTROL) as hypervisor:
        Guest(hypervisor, "instance-1", paused=True)
        yield hypervisor


@pytest.mark.parametrize("hours", [1, -1])
def test_stepped_clock_gives_no_stale_sample_and_recovers_within_a_period(
    boot, start_agent, hypervisor, measured, hours
):
    clock = Clock(hypervisor)
    guest = boot(period=2, emulator=clock.emulator)
    agent = start_agent(interval=1, period=2, environment=clock.environment)
    wait_for_usage(agent, guest)
    # The paused guest reports nothing new, and its last report is still fresh.
    guest.domain.suspend()
    agent.wait_for_cycles(1)
    wait_for_usage(agent, guest)
    begin = time.monotonic()
    clock.step(hours * 3600)
    wait_for_reason(agent, guest, Reason.PAUSED)
    # The statistics are stale because of the step, and not because of their true age.
    assert time.monotonic() - begin < FRESH_SECONDS / 2
    agent.wait_for_cycles(1)
    assert agent.usage(guest.uuid) is None
    begin = time.monotonic()
    guest.domain.resume()
    wait_for_usage(agent, guest)
    measured(
        f"clock stepped by {hours} h",
        f"reported {time.monotonic() - begin:.1f} s after it went on, period 2 s, interval 1 s",
    )


def seconds_to_end(agent):
    """Return the seconds that the agent takes to end. Its exit status must be 0."""
    begin = time.monotonic()
    assert agent.stop() == 0
    return time.monotonic() - begin


@pytest.fixture(scope="module")
def healthy_end(hypervisor):
    """Seconds that an agent without a stuck call takes to end on this machine."""
    guest = Guest(hypervisor, "healthy")
    try:
        guest.wait_until_up()
        with Agent(hypervisor, interval=1) as agent:
            wait_for_usage(agent, guest)
            return seconds_to_end(agent)
    finally:
        guest.destroy()


def test_agent_ends_at_once_while_it_waits_for_a_call(boot, start_agent, healthy_end, measured):
    guest = boot()
    agent = start_agent(interval=1, timeout=10 * DEADLINE)
    wait_for_usage(agent, guest)
    guest.hang()
    try:
        wait_for(lambda: guest.domain.controlInfo()[0] != 0, SECONDS, "the call to get stuck")
        seconds = seconds_to_end(agent)
    finally:
        guest.unhang()
    measured(
        "SIGTERM with a call waited for", f"ended after {seconds:.1f} s, timeout "
        f"{10 * DEADLINE:g} s; without one after {healthy_end:.1f} s",
    )  # fmt: skip
    assert seconds < healthy_end + PATIENCE


def test_agent_ends_at_once_with_a_stuck_call(boot, start_agent, healthy_end):
    guest = boot()
    agent = start_agent(interval=1, timeout=DEADLINE)
    wait_for_usage(agent, guest)
    guest.hang()
    try:
        wait_for_reason(agent, guest, Reason.NOT_RESPONDING)
        seconds = seconds_to_end(agent)
    finally:
        guest.unhang()
    assert seconds < healthy_end + PATIENCE


def test_duplicate_stock_pollster_is_warned_of_once_with_the_line(boot, start_agent):
    guest = boot()
    agent = start_agent(
        interval=1, meters=("memory_usage", "memory_resident", "memory.usage", "memory.swap.in")
    )
    wait_for_usage(agent, guest)
    agent.wait_for_cycles(3)
    # The other warning is about the interval that both share.
    (warning,) = lines_about(agent, "is sent twice")
    assert "remove the line '- memory.usage' from source lab" in warning
    swap = ("ceilometer_memory_swap_in", guest.uuid)
    wait_for(lambda: swap in agent.metrics(), SECONDS, "the stock meter", agent.log_text)


def test_instance_name_cannot_forge_a_log_line(boot, start_agent):
    guest = boot(driver=False, display_name=f"name\n{FORGERY}")
    agent = start_agent(interval=1)
    wait_for_reason(agent, guest, Reason.NO_GUEST_DRIVER)
    assert [line for line in agent.log_text().splitlines() if line.startswith(FORGERY)] == []
