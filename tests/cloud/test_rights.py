# SPDX-License-Identifier: Apache-2.0
"""The agent as a user that may only read, and as a user that may write."""

import pathlib
import stat
import subprocess

import pytest

from ceilometer_memballoon.domain_xml import parse_balloon
from tests.cloud.exported import wait_for_usage, warnings_about
from tests.lab import periods_service
from tests.lab.privileged import USER_ID, WRITERS_ID
from tests.lab.waiting import wait_long_for

SECONDS = 90
NOVA_PERIOD = 10
#: libvirt's address on the host itself. Only there a read-only connection uses the read-only
#: socket.
URI = "qemu:///system"


@pytest.fixture(scope="module")
def host(cloud):
    """The compute host whose agent is unprivileged. Its usual agent runs again after the tests."""
    host = cloud.hosts["compute-1"]
    periods_service.install(host.hypervisor)
    yield host
    host.start_agent()


@pytest.fixture(scope="module")
def server(boot, host):
    return boot("guarded", host=host.name)


@pytest.fixture(scope="module")
def read_only(host, server):
    """The agent as the user ceilometer, in no further group. It has reported the server."""
    agent = host.start_agent(
        uri=URI, prefix=host.hypervisor.as_user, settings="[memballoon]\nset_periods = false\n"
    )
    wait_for_usage(server)
    return agent


@pytest.fixture
def period_is_off(server):
    """Turn the server's period off. The usual period is set again after the test."""
    server.domain.setMemoryStatsPeriod(0)
    yield
    server.domain.setMemoryStatsPeriod(NOVA_PERIOD)


def period(server):
    return parse_balloon(server.domain.XMLDesc()).period


def run_service(user):
    """Run the service's command. user: the words before it that choose the user."""
    return subprocess.run(
        [*user, *periods_service.command()],
        check=False, text=True, capture_output=True, timeout=SECONDS,
    )  # fmt: skip


def identity(pid):
    """Return the process's user and its groups."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return int(found["Uid"].split()[0]), {
        int(number) for number in (found["Gid"] + found["Groups"]).split()
    }


def test_read_only_agents_user_is_not_in_the_group_that_may_write(read_only, host):
    socket = host.hypervisor.socket.stat()
    assert (socket.st_uid, socket.st_gid, stat.S_IMODE(socket.st_mode)) == (0, WRITERS_ID, 0o770)
    user, groups = identity(read_only.pid)
    assert user == USER_ID
    assert not groups & {0, WRITERS_ID}


def test_read_only_agent_reports(read_only, server):
    wait_for_usage(server, fresh=True)
    assert warnings_about(server) == []
    assert "Traceback" not in read_only.log_text()


def test_read_only_agent_reports_a_server_that_the_service_enables(
    read_only, host, server, period_is_off
):
    read_only.wait_for_cycles(1)
    assert period(server) == 0
    done = run_service(host.hypervisor.as_keeper)
    assert (done.returncode, period(server)) == (0, NOVA_PERIOD), done.stdout + done.stderr
    wait_for_usage(server, fresh=True)
    assert warnings_about(server) == []


def test_agents_user_may_not_do_what_the_service_does(host, server, period_is_off):
    done = run_service(host.hypervisor.as_user)
    assert (done.returncode != 0, period(server)) == (True, 0), done.stdout + done.stderr


def test_agent_with_write_access_enables_a_server(host, server):
    host.start_agent(uri=URI, prefix=host.hypervisor.as_writer)
    server.domain.setMemoryStatsPeriod(0)
    wait_long_for(lambda: period(server) == NOVA_PERIOD, SECONDS, "the period")
    wait_for_usage(server)
