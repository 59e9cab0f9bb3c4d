# SPDX-License-Identifier: Apache-2.0
"""The agent without write access to libvirt, beside the service that sets periods."""

import configparser
import pathlib
import shutil
import subprocess
import sys

from tests.lab.privileged import WRITERS
from tests.lab.waiting import wait_for

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging/debian"
UNIT = PACKAGING / "python3-ceilometer-memballoon.ceilometer-memballoon-periods.service"
PROGRAM = "ceilometer-memballoon"
SECONDS = 60
GROUP_WRITES = (
    'auth_unix_ro = "none"\nauth_unix_rw = "none"\n'
    f'unix_sock_group = "{WRITERS}"\nunix_sock_rw_perms = "0770"\n'
)


def service_command():
    """Return the service's command with this environment's program, and the path of its
    configuration."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(UNIT)
    program, *words = unit["Service"]["ExecStart"].split()
    assert program == f"/usr/bin/{PROGRAM}"
    return [str(pathlib.Path(sys.executable).with_name(PROGRAM)), *words]


def test_read_only_agent_reports_a_guest_that_the_service_enables(privileged, boot_on, start_agent):
    hypervisor = privileged(GROUP_WRITES)
    settings = hypervisor.folder / "root/etc/ceilometer-memballoon"
    settings.mkdir(exist_ok=True)
    shutil.copy(PACKAGING / "periods.conf", settings)
    guest = boot_on(hypervisor, "instance-1", period=None)
    agent = start_agent(
        hypervisor=hypervisor, interval=1, prefix=hypervisor.as_user, uri="qemu:///system",
        memballoon_options="set_periods = false",
    )  # fmt: skip
    agent.wait_for_cycles(2)
    assert guest.live_period() == 0
    command = [*hypervisor.as_keeper, *service_command()]
    done = subprocess.run(command, check=False, text=True, capture_output=True, timeout=SECONDS)
    assert (done.returncode, guest.live_period()) == (0, 10), done.stdout + done.stderr
    wait_for(lambda: agent.usage(guest.uuid), SECONDS, "memory.usage", agent.log_text)
    assert [line for line in agent.own_lines() if "WARNING" in line] == []


def test_agents_user_may_not_do_what_the_service_does(privileged, boot_on):
    hypervisor = privileged(GROUP_WRITES)
    guest = boot_on(hypervisor, "instance-1", period=None)
    command = [*hypervisor.as_user, *service_command()[:1], "guest", "enable", "--all", "--yes"]
    done = subprocess.run(command, check=False, text=True, capture_output=True, timeout=SECONDS)
    assert (done.returncode != 0, guest.live_period()) == (True, 0)
