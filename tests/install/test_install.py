# SPDX-License-Identifier: Apache-2.0
"""What pip installs from the wheel, in an environment that has nothing of this tree.

tox makes the environment with the package's dependencies and without the package (package =
deps-only). So the tests download nothing.
"""

import pathlib
import shutil
import subprocess
import sys

import pytest

from ceilometer_memballoon.meters import METERS
from tests.lab.waiting import wait_for

TREE = pathlib.Path(__file__).parents[2]
ENVIRONMENT = pathlib.Path(sys.prefix)
#: The files that a wheel is built from.
SOURCES = (
    "LICENSE", "README.rst", "ceilometer_memballoon", "etc", "memballoon_tempest_plugin",
    "pyproject.toml", "requirements.txt", "setup.cfg",
)  # fmt: skip
SECONDS = 120
PIP = (sys.executable, "-m", "pip", "--quiet", "--no-input")
UNINSTALL = (*PIP, "uninstall", "--yes", "ceilometer-memballoon")
LIST_POLLSTERS = (
    "from stevedore import extension; "
    "print(sorted(e.name for e in extension.ExtensionManager('ceilometer.poll.compute') "
    "if e.entry_point.module.startswith('ceilometer_memballoon')))"
)


def run(*command, cwd):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install this tree's wheel."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        copy = shutil.copytree if (TREE / name).is_dir() else shutil.copy
        copy(TREE / name, folder / name)
    build = ("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", "wheel")
    run(*PIP, *build, folder, cwd=folder)
    (wheel,) = (folder / "wheel").iterdir()
    # An interrupted run may have left the previous wheel installed.
    run(*PIP, "install", "--no-index", "--no-deps", "--force-reinstall", wheel, cwd=folder)
    yield
    run(*UNINSTALL, cwd=folder)


@pytest.mark.usefixtures("installed")
def test_installed_pollsters_are_found(tmp_path):
    listed = run(sys.executable, "-c", LIST_POLLSTERS, cwd=tmp_path)
    assert listed == f"{sorted(METERS)}\n"


@pytest.mark.usefixtures("installed")
def test_installed_agent_reports_both_meters(boot, start_agent):
    guest = boot()
    agent = start_agent(
        polling=ENVIRONMENT / "etc/ceilometer-memballoon/ceilometer/polling.yaml",
        program=ENVIRONMENT / "bin/ceilometer-polling",
    )
    wanted = {("ceilometer_memory_usage", guest.uuid), ("ceilometer_memory_resident", guest.uuid)}
    wait_for(lambda: wanted <= set(agent.metrics()), 60, "both meters", agent.log_text)


@pytest.mark.usefixtures("installed")
def test_dependencies_are_installed_and_compatible(tmp_path):
    run(*PIP, "check", cwd=tmp_path)


@pytest.mark.usefixtures("installed")
def test_uninstall_removes_exactly_what_was_installed(tmp_path):
    files = {file for file in ENVIRONMENT.glob("**/*memballoon*/**/*") if file.is_file()}
    files.add(ENVIRONMENT / "bin/ceilometer-memballoon")
    assert {file for file in files if not file.exists()} == set()
    run(*UNINSTALL, cwd=tmp_path)
    assert {file for file in files if file.exists()} == set()
    assert (ENVIRONMENT / "etc/ceilometer/polling.yaml").exists()
