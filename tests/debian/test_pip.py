# SPDX-License-Identifier: Apache-2.0
"""The plugin installed with pip beside Debian's packages, as the installation guide says."""

import pathlib

import pytest

from tests.debian.conftest import TREE, run

ETC = pathlib.Path("/usr/local/etc/ceilometer-memballoon")
PACKAGE = "python3-ceilometer-memballoon"


@pytest.fixture
def without_package(installed, binary):
    """Remove the Debian package for the test."""
    run("dpkg", "--purge", PACKAGE)
    yield
    run("dpkg", "--install", binary)


def test_pip_installs_beside_debians_packages_and_uninstalls(without_package):
    # Build isolation would download from a package index, and tests have no network.
    offline = ("--no-index", "--no-build-isolation", "--root-user-action=ignore")
    run("pip", "install", "--break-system-packages", "--no-deps", *offline, TREE)
    assert (ETC / "ceilometer/polling.yaml").exists()
    assert "memballoon" not in run("pip", "check", check=False)
    assert "guest list" in run("ceilometer-memballoon", "--help")
    run("pip", "uninstall", "--break-system-packages", "--yes", "ceilometer-memballoon")
    # pip leaves an empty folder behind.
    left = pathlib.Path("/usr/local").glob("**/*memballoon*/**/*")
    assert [path for path in left if path.is_file()] == []
