# SPDX-License-Identifier: Apache-2.0
"""Fixtures that build and install the Debian package.

``tox -e debian13`` makes a root folder for them.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

TREE = pathlib.Path(__file__).parents[2]
SECONDS = 600


def run(*command, cwd="/", check=True):
    """Return the output of a command, with standard error."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, check=False, text=True, timeout=SECONDS,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session", autouse=True)
def throwaway():
    """Skip the tests outside a root folder that is thrown away after them."""
    if os.environ.get("LAB_ROOT") != "1":
        pytest.skip("installs the package: run tox -e debian13")


@pytest.fixture(scope="session")
def built(tmp_path_factory, throwaway):
    """The folder with the source package, the binary package and their list of changes."""
    folder = tmp_path_factory.mktemp("package")
    folder.chmod(0o755)
    version = (TREE / "packaging/debian/changelog").read_text().split("(")[1].split("-")[0]
    source = folder / f"ceilometer-memballoon-{version}"
    shutil.copytree(TREE, source)
    tarball = f"ceilometer-memballoon_{version}.orig.tar.gz"
    run("tar", "--create", "--gzip", "--file", tarball, source.name, cwd=folder)
    shutil.copytree(source / "packaging/debian", source / "debian")
    run("dpkg-buildpackage", "--no-sign", cwd=source)
    return folder


@pytest.fixture(scope="session")
def binary(built):
    """The binary package's file."""
    (file,) = built.glob("*.deb")
    return file


@pytest.fixture(scope="session")
def installed(binary):
    """The names of the files and folders that the installed package has."""
    run("dpkg", "--install", binary)
    return run("dpkg", "--listfiles", "python3-ceilometer-memballoon").split("\n")
