# SPDX-License-Identifier: Apache-2.0
"""The content of a release, and that each build gives the same files."""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

TREE = pathlib.Path(__file__).parents[2]
SECONDS = 300
#: Folders of the tree that an sdist contains completely.
FOLDERS = (
    "bench", "ceilometer_memballoon", "devstack", "doc", "etc", "memballoon_tempest_plugin",
    "releasenotes", "tests", "tools",
)  # fmt: skip
FILES = (
    ".pre-commit-config.yaml", "CONTRIBUTING.rst", "LICENSE", "MANIFEST.in", "README.rst",
    "bindep.txt", "pyproject.toml", "requirements.txt", "setup.cfg", "test-requirements.txt",
    "tox.ini",
)  # fmt: skip
PACKAGES = ("ceilometer_memballoon", "memballoon_tempest_plugin")
#: Files that setuptools adds.
MADE = ("PKG-INFO", "ceilometer_memballoon.egg-info")


def output(*command):
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
    return done.stdout


@pytest.fixture(scope="module")
def tracked():
    """The files of the tree that git tracks."""
    return set(output("git", "-C", str(TREE), "ls-files").split())


@pytest.fixture(scope="module")
def builds(tmp_path_factory, tracked):
    """Folders with the sdist and the wheel of two builds from two copies of the tree."""
    return [build(tmp_path_factory.mktemp(f"build{number}"), tracked) for number in range(2)]


@pytest.fixture(scope="module")
def sdist(builds):
    """The sdist's files."""
    (file,) = builds[0].glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = [m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()]
    return set(names)


@pytest.fixture(scope="module")
def wheel(builds):
    """The wheel's files."""
    (file,) = builds[0].glob("*.whl")
    return set(zipfile.ZipFile(file).namelist())


def build(folder, tracked):
    copy = folder / "tree"
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / name, copy / name)
    program = [sys.executable, str(copy / "tools/package"), str(folder / "dist")]
    subprocess.run(
        program, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1700000000"},
    )  # fmt: skip
    return folder / "dist"


def digests(folder):
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}


def test_two_builds_are_identical(builds):
    first, second = map(digests, builds)
    assert (len(first), first) == (2, second)


def test_sdist_has_the_whole_tree_and_nothing_else(sdist, tracked):
    wanted = {n for n in tracked if n.split("/")[0] in FOLDERS or n in FILES}
    assert {n for n in sdist if n.split("/")[0] not in MADE} == wanted


def test_wheel_has_both_packages_and_etc_and_nothing_else(wheel, tracked):
    packages = {n for n in tracked if n.split("/")[0] in PACKAGES}
    etc = {n.removeprefix("etc/") for n in tracked if n.startswith("etc/")}
    data = "ceilometer_memballoon-0.1.0.data/data/etc/ceilometer-memballoon/"
    found = {n for n in wheel if ".dist-info/" not in n}
    assert found == packages | {data + n for n in etc}


def test_wheel_has_the_licence(wheel):
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
