# SPDX-License-Identifier: Apache-2.0
"""The agent gets Nova's statistics period from a nova.conf as packages install it."""

import pathlib
import subprocess

import pytest

from ceilometer_memballoon.domain_xml import parse_balloon
from tests.cloud.exported import wait_for_usage
from tests.lab.chain.service import program, run
from tests.lab.waiting import wait_long_for

ONE_OPTION = pathlib.Path(__file__).parents[2] / "etc/ceilometer/nova-period.sh"
OPTION = "mem_stats_period_seconds"
NOVA_PERIOD, PERIOD = 10, 20
SECONDS = 90
PACKAGED = """
[DEFAULT]
log_dir = {folder}/log
host = {host}
transport_url = {transport_url}
state_path = {folder}
[libvirt]
virt_type = qemu
# mem_stats_period_seconds = 99
mem_stats_period_seconds = {period}
[vnc]
mem_stats_period_seconds = 98
"""


@pytest.fixture(scope="module")
def packaged(cloud, tmp_path_factory):
    """A nova.conf and a log folder that only Nova's user may use, which is root here."""
    folder = tmp_path_factory.mktemp("nova")
    folder.chmod(0o755)
    (folder / "log").mkdir(mode=0o750)
    path = folder / "nova.conf"
    path.write_text(
        PACKAGED.format(
            folder=folder, period=PERIOD, host="compute-1", transport_url=cloud.site.transport_url
        )
    )
    return path


@pytest.fixture(scope="module")
def check():
    """Return what ``check`` says of the host's agent and this nova.conf, in one line."""

    def ask(host, nova_conf):
        done = subprocess.run(
            [program("ceilometer-memballoon"), "--config-file", host.agent.config,
             "check", "--nova-config", nova_conf],
            check=False, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        return " ".join(done.stdout.replace("|", "").split())

    return ask


def test_check_compares_the_agents_period_with_novas(cloud, check):
    host = cloud.hosts["compute-1"]
    text = check(host, host.nova_conf)
    assert f"Nova and the agent have the same {OPTION}, {NOVA_PERIOD}." in text


def test_check_warns_of_another_period_in_novas_file(cloud, check, packaged):
    # The table breaks the file's path into lines.
    text = check(cloud.hosts["compute-1"], packaged)
    assert f"{OPTION} is {PERIOD} for Nova" in text
    assert f"and {NOVA_PERIOD} for the agent" in text


def test_file_with_the_one_option_gives_the_agent_novas_period(cloud, boot, packaged, tmp_path):
    server = boot("periodic", host="compute-1")
    period = tmp_path / "nova-period.conf"
    period.write_text(run(cloud.folder, "sh", ONE_OPTION, packaged))
    host = cloud.hosts["compute-1"]
    try:
        # The agent's user may not write to Nova's log_dir.
        host.start_agent(prefix=host.hypervisor.as_writer, further=(period,))
        wait_long_for(
            lambda: parse_balloon(server.domain.XMLDesc()).period == PERIOD, SECONDS, "the period"
        )
        wait_for_usage(server)
    finally:
        host.start_agent()
