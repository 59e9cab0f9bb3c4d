# SPDX-License-Identifier: Apache-2.0
"""The agent without write access to libvirt, beside the service that sets periods."""

import subprocess

from tests.lab import periods_service
from tests.lab.privileged import WRITERS
from tests.lab.waiting import wait_for

SECONDS = 60
GROUP_WRITES = (
    'auth_unix_ro = "none"\nauth_unix_rw = "none"\n'
    f'unix_sock_group = "{WRITERS}"\nunix_sock_rw_perms = "0770"\n'
)


def test_read_only_agent_reports_a_guest_that_the_service_enables(privileged, boot_on, start_agent):
    hypervisor = privileged(GROUP_WRITES)
    periods_service.install(hypervisor)
    guest = boot_on(hypervisor, "instance-1", period=None)
    agent = start_agent(
        hypervisor=hypervisor, interval=1, prefix=hypervisor.as_user, uri="qemu:///system",
        memballoon_options="set_periods = false",
    )  # fmt: skip
    agent.wait_for_cycles(2)
    assert guest.live_period() == 0
    command = [*hypervisor.as_keeper, *periods_service.command()]
    done = subprocess.run(command, check=False, text=True, capture_output=True, timeout=SECONDS)
    assert (done.returncode, guest.live_period()) == (0, 10), done.stdout + done.stderr
    wait_for(lambda: agent.usage(guest.uuid), SECONDS, "memory.usage", agent.log_text)
    assert [line for line in agent.own_lines() if "WARNING" in line] == []


def test_agents_user_may_not_do_what_the_service_does(privileged, boot_on):
    hypervisor = privileged(GROUP_WRITES)
    guest = boot_on(hypervisor, "instance-1", period=None)
    program = periods_service.command()[0]
    command = [*hypervisor.as_user, program, "guest", "enable", "--all", "--yes"]
    done = subprocess.run(command, check=False, text=True, capture_output=True, timeout=SECONDS)
    assert (done.returncode != 0, guest.live_period()) == (True, 0)
