# SPDX-License-Identifier: Apache-2.0
"""./tools/cloud and the commands of its documentation page, from the start to Ctrl-C."""

import json
import pathlib
import subprocess
import urllib.request
import xml.etree.ElementTree as ET

import pytest

from tests.cloud.tool import STOP_SECONDS
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
    openstack("alarm", "list")


def test_administrators_commands_of_other_pages_work(tool, openstack):
    steady = openstack("server", "list", "--name", "steady", "-f", "value", "-c", "ID").strip()
    shown = json.loads(openstack("server", "show", steady, "-f", "json", user="admin"))
    assert shown["OS-EXT-SRV-ATTR:host"] in {"compute-1", "compute-2"}
    assert "lab: ready" in openstack("console", "log", "show", steady, user="admin")
    openstack("server", "reboot", "--hard", "--wait", steady, user="admin")


@pytest.mark.timeout(STOP_SECONDS + 900)
def test_ctrl_c_leaves_nothing_running(tool, openstack):
    folder = tool.folder
    assert folder.exists()
    assert tool.interrupt() == INTERRUPTED
    assert not folder.exists()
    assert "Stopped; nothing is left running." in tool.log.read_text()
