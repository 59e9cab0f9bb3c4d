# SPDX-License-Identifier: Apache-2.0
"""The content of the Debian package, and the distribution's agent with the package installed."""

import configparser
import pathlib
import re

import pytest

from tests.debian.conftest import SECONDS, TREE, run

NAME = "python3-ceilometer-memballoon"
#: The Debian name of each requirement whose Debian name is not python3- and the requirement's name.
RENAMED = {"libvirt-python": "python3-libvirt", "PyYAML": "python3-yaml"}
UNITS = pathlib.Path("/usr/lib/systemd/system")


@pytest.fixture
def setup():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(TREE / "setup.cfg")
    return parser


def test_package_has_the_version_of_the_release(binary, setup):
    assert binary.name.startswith(f"{NAME}_{setup['metadata']['version']}-")


def test_lintian_finds_no_error(built):
    (changes,) = built.glob("*.changes")
    found = run("lintian", "--allow-root", "--info", "--fail-on", "error", changes)
    assert "E: " not in found


def test_package_depends_on_all_that_the_release_requires(binary):
    depends = run("dpkg-deb", "--field", binary, "Depends")
    found = set(re.findall(r"python3-[\w.+-]+", depends))
    listed = (TREE / "requirements.txt").read_text()
    required = re.findall(r"^[\w.-]+", listed, re.MULTILINE)
    assert {RENAMED.get(name, f"python3-{name}") for name in required} <= found


def test_package_has_command_completion_man_page_and_examples(installed):
    examples = f"/usr/share/doc/{NAME}/examples"
    wanted = {
        "/usr/bin/ceilometer-memballoon",
        "/usr/share/bash-completion/completions/ceilometer-memballoon",
        "/usr/share/man/man1/ceilometer-memballoon.1.gz",
        f"{examples}/ceilometer/polling.yaml",
        f"{examples}/polkit-1/rules.d/60-ceilometer-memballoon.rules",
        f"{examples}/prometheus/guest-memory.rules.yml",
    }
    assert wanted <= set(installed)
    assert [name for name in installed if name.startswith(("/usr/etc", "/usr/local"))] == []


def test_man_page_shows_every_command(installed):
    page = run("man", "--pager=cat", "ceilometer-memballoon")
    for words in ("guest list", "guest show", "guest enable", "check"):
        assert words in page


def test_completion_knows_the_commands(installed):
    script = ". /usr/share/bash-completion/completions/ceilometer-memballoon && complete -p"
    assert "ceilometer-memballoon" in run("bash", "-c", script)


def test_timer_and_service_are_valid_and_not_enabled(installed):
    files = [UNITS / f"ceilometer-memballoon-periods.{kind}" for kind in ("service", "timer")]
    assert run("systemd-analyze", "verify", "--man=no", *files) == ""
    assert [*pathlib.Path("/etc/systemd/system").glob("**/ceilometer-memballoon*")] == []


def test_services_user_may_write_to_libvirt_and_nothing_else(installed):
    assert set(run("id", "--name", "--groups", "ceilometer-memballoon").split()) == {
        "ceilometer-memballoon", "libvirt",
    }  # fmt: skip


@pytest.mark.parametrize("user", ["ceilometer", "ceilometer-memballoon"])
def test_command_runs_as_either_user(installed, user):
    config = "/etc/ceilometer-memballoon/periods.conf"
    command = ("sudo", "-u", user, "ceilometer-memballoon", "--config-file", config)
    # No libvirtd runs here.
    listed = run(*command, "guest", "list", check=False)
    assert "libvirt" in listed
    assert "Traceback" not in listed


@pytest.mark.timeout(SECONDS)
def test_agent_of_the_distribution_reports_guests(built, binary, installed):
    (source,) = built.glob("*.dsc")
    run("autopkgtest", "--no-built-binaries", source, binary, "--", "null")


def test_removed_package_leaves_nothing_behind(installed, binary):
    run("dpkg", "--purge", NAME)
    try:
        left = [*pathlib.Path("/usr").glob("**/*memballoon*"), *UNITS.glob("*memballoon*")]
        assert left == []
        assert not pathlib.Path("/etc/ceilometer-memballoon").exists()
    finally:
        run("dpkg", "--install", binary)
