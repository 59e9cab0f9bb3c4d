# SPDX-License-Identifier: Apache-2.0
"""./tools/cloud and the commands of its documentation page, from the start to Ctrl-C."""

import ipaddress
import json
import pathlib
import re
import ssl
import subprocess
import urllib.request
import xml.etree.ElementTree as ET

import psutil
import pytest

from tests.cloud.tool import STOP_SECONDS
from tests.lab.hypervisor import processes_of
from tests.lab.waiting import wait_long_for

DASHBOARD = pathlib.Path(__file__).parents[2] / "etc/grafana/guest-memory.json"
MEASURE_SECONDS = 120
COMMAND_SECONDS = 60
INTERRUPTED = 130


@pytest.fixture(scope="module")
def openstack(tool):
    """Run ``openstack`` with the printed file, as a user's shell would. Return its output."""
    tool.wait_until_up()

    def run(*words, user="demo"):
        become = f"export OS_USERNAME={user} OS_PROJECT_NAME={user}"
        script = f'. {tool.folder}/openrc; {become}; exec openstack "$@"'
        done = subprocess.run(
            ["sh", "-c", script, "openstack", *words], check=True, text=True,
            stdout=subprocess.PIPE, timeout=COMMAND_SECONDS,
        )  # fmt: skip
        return done.stdout

    return run


@pytest.mark.timeout(900)
def test_climbers_memory_is_shown(tool, openstack):
    assert {"steady", "climber"} <= set(openstack("server", "list", "-f", "value").split())
    climber = tool.printed(r"--resource-id (\S+)")[1]
    shown = wait_long_for(
        lambda: measures(openstack, climber), MEASURE_SECONDS, "a measure", tool.log.read_text
    )
    assert float(shown.split()[-1]) > 0


def measures(openstack, server):
    try:
        return openstack(
            "metric", "measures", "show", "--resource-id", server, "--granularity", "10",
            "-f", "value", "memory.usage",
        )  # fmt: skip
    except subprocess.CalledProcessError:
        # Gnocchi does not have the metric yet.
        return ""


def test_dashboards_picture_has_every_panel_and_the_servers(tool, openstack):
    address = tool.printed(r"Dashboard +(\S+)")[1]
    panels = {panel["title"] for panel in json.loads(DASHBOARD.read_text())["panels"]}

    def texts():
        with urllib.request.urlopen(address, timeout=COMMAND_SECONDS) as page:
            return set(ET.fromstring(page.read()).itertext())

    def servers():
        # A curve is labelled NAME:LIBVIRT_NAME on HOST.
        return {text.partition(":")[0] for text in texts()}

    wait_long_for(
        lambda: {"steady", "climber"} <= servers(), MEASURE_SECONDS, "both servers in the picture"
    )
    assert panels <= texts()


def test_member_has_own_servers_and_alarms(openstack):
    openstack("--os-compute-api-version", "2.37", "server", "create", "--image", "lab",
              "--flavor", "lab", "--nic", "none", "--wait", "mine")  # fmt: skip
    assert "mine" in openstack("server", "list", "-f", "value")
    openstack("server", "delete", "--wait", "mine")
    assert "mine" not in openstack("server", "list", "-f", "value")
    openstack("alarm", "list")


def test_everything_listens_on_loopback_addresses_only(tool, openstack):
    pids = processes_of(tool.folder)
    listening = [
        one.laddr
        for one in psutil.net_connections("inet")
        if one.status == psutil.CONN_LISTEN and one.pid in pids
    ]
    assert listening
    assert [a for a in listening if not ipaddress.ip_address(a.ip).is_loopback] == []


def test_addresses_of_prometheus_and_exporters_answer(tool, openstack):
    authority = tool.printed(r"authority is (\S+)")[1]
    trusted = ssl.create_default_context(cafile=authority)
    addresses = re.findall(r"https?://\S+/(?:metrics|query\S+)", tool.log.read_text())
    assert len(addresses) == 3

    def page(address):
        context = trusted if address.startswith("https") else None
        with urllib.request.urlopen(address, timeout=COMMAND_SECONDS, context=context) as answer:
            return answer.read().decode()

    for one in addresses:
        # The exporter removes each metric for a moment in every cycle.
        wait_long_for(lambda one=one: "memory_usage" in page(one), MEASURE_SECONDS, one)


def test_administrators_commands_of_other_pages_work(tool, openstack):
    steady = openstack("server", "list", "--name", "steady", "-f", "value", "-c", "ID").strip()
    shown = json.loads(openstack("server", "show", steady, "-f", "json", user="admin"))
    assert shown["OS-EXT-SRV-ATTR:host"] in {"compute-1", "compute-2"}
    assert "lab: ready" in openstack("console", "log", "show", steady, user="admin")
    openstack("server", "reboot", "--hard", "--wait", steady, user="admin")


@pytest.mark.timeout(STOP_SECONDS + 900)
def test_ctrl_c_leaves_nothing_running(tool, openstack):
    folder = tool.folder
    processes = tool.processes()
    assert folder.exists()
    assert processes != []
    assert tool.interrupt() == INTERRUPTED
    assert not folder.exists()
    assert processes_of(folder) == []
    assert [one for one in processes if runs(one)] == []
    assert "Stopped; nothing is left running." in tool.log.read_text()


def runs(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
