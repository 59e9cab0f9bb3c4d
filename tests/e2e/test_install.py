# SPDX-License-Identifier: Apache-2.0
"""What the wheel gives, in an environment that has nothing of this tree."""

import pathlib
import subprocess
import sys

import pytest

from ceilometer_memballoon.meters import METERS
from tests.lab.waiting import wait_for

TREE = pathlib.Path(__file__).parents[2]
INSTALL_SECONDS = 600
LIST_POLLSTERS = (
    "from stevedore import extension; "
    "print(sorted(e.name for e in extension.ExtensionManager('ceilometer.poll.compute') "
    "if e.entry_point.module.startswith('ceilometer_memballoon')))"
)


def run(*command, cwd):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, check=True, stdout=subprocess.PIPE, text=True, timeout=INSTALL_SECONDS,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment into which this tree's wheel was installed."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    pip = (folder / "bin/pip", "--quiet")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder / "wheel", TREE, cwd=folder)
    (wheel,) = (folder / "wheel").iterdir()
    run(*pip, "install", wheel, cwd=folder)
    return folder


@pytest.mark.timeout(INSTALL_SECONDS)
def test_installed_pollsters_are_found(environment, tmp_path):
    listed = run(environment / "bin/python", "-c", LIST_POLLSTERS, cwd=tmp_path)
    assert listed == f"{sorted(METERS)}\n"


@pytest.mark.timeout(INSTALL_SECONDS)
def test_installed_agent_reports_both_meters(environment, boot, start_agent):
    guest = boot()
    agent = start_agent(
        polling=environment / "etc/ceilometer-memballoon/ceilometer/polling.yaml",
        program=environment / "bin/ceilometer-polling",
    )
    wanted = {("ceilometer_memory_usage", guest.uuid), ("ceilometer_memory_resident", guest.uuid)}
    wait_for(lambda: wanted <= set(agent.metrics()), 60, "both meters", agent.log_text)


@pytest.mark.timeout(INSTALL_SECONDS)
def test_uninstalling_takes_away_what_was_installed_and_no_more(environment, tmp_path):
    pip = environment / "bin/pip"
    files = {file for file in environment.glob("[!w]*/**/*memballoon*/**/*") if file.is_file()}
    files.add(environment / "bin/ceilometer-memballoon")
    run(pip, "check", cwd=tmp_path)
    run(pip, "uninstall", "--yes", "ceilometer-memballoon", cwd=tmp_path)
    assert {file for file in files if file.exists()} == set()
    assert (environment / "etc/ceilometer/polling.yaml").exists()
