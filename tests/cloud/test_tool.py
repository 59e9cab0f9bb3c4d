# SPDX-License-Identifier: Apache-2.0
"""./tools/cloud and the commands of its documentation page, from the start to Ctrl-C."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.lab.waiting import wait_long_for

TREE = pathlib.Path(__file__).parents[2]
UP_SECONDS = 600
MEASURE_SECONDS = 120
STOP_SECONDS = 120
COMMAND_SECONDS = 60


def printed(pattern, log):
    return re.search(pattern, log.read_text())


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    """The log of the running command, which is interrupted after the tests."""
    log = tmp_path_factory.mktemp("tool") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.cloud"], cwd=TREE, stdout=output, stderr=output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        wait_long_for(lambda: printed("Ctrl-C stops everything", log), UP_SECONDS, "the cloud",
                      log.read_text)  # fmt: skip
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=STOP_SECONDS)


@pytest.fixture(scope="module")
def openstack(tool):
    """Run ``openstack`` with the printed file, as a user's shell would."""
    openrc = printed(r"\. (\S+/openrc)", tool)[1]

    def run(*words):
        script = f'. {openrc}; exec openstack "$@"'
        done = subprocess.run(
            ["sh", "-c", script, "openstack", *words], check=True, text=True,
            stdout=subprocess.PIPE, timeout=COMMAND_SECONDS,
        )  # fmt: skip
        return done.stdout

    return run


@pytest.mark.timeout(900)
def test_climbers_memory_is_shown(tool, openstack):
    assert {"steady", "climber"} <= set(openstack("server", "list", "-f", "value").split())
    climber = printed(r"--resource-id (\S+)", tool)[1]
    shown = wait_long_for(
        lambda: measures(openstack, climber), MEASURE_SECONDS, "a measure", tool.read_text
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


def test_member_has_own_servers_and_alarms(openstack):
    openstack("--os-compute-api-version", "2.37", "server", "create", "--image", "lab",
              "--flavor", "lab", "--nic", "none", "--wait", "mine")  # fmt: skip
    assert "mine" in openstack("server", "list", "-f", "value")
    openstack("alarm", "list")


def test_ctrl_c_leaves_nothing_running(tool):
    folder = pathlib.Path(printed(r"\. (\S+)/openrc", tool)[1])
    assert folder.exists()
    # The command is a child of this process.
    (child,) = children()
    os.kill(child, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not folder.exists()
    assert "Stopped; nothing is left running." in tool.read_text()


def children():
    """Return the process ids of the cloud commands that this process has started."""
    own = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [
        int(pid)
        for pid in own
        if b"tests.lab.cloud" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
