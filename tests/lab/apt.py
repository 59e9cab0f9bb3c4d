# SPDX-License-Identifier: Apache-2.0
"""Download and unpack Debian packages without installing them.

Packages come from the machine's own apt sources or from those of another Debian
release. What is downloaded is kept below ``cache_dir()``.
"""

import dataclasses
import functools
import os
import pathlib
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping

from tests.lab import download
from tests.lab.cache import cache_dir, put

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Seconds that one download or one unpacking may take.
SECONDS = 300
#: How often a download is tried.
TRIES = 3

#: Makes apt ignore the machine's own sources, lists and packages. The user _apt cannot enter every
#: cache folder, so apt downloads as root.
SUITE_CONFIG = """
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{folder}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
"""


@dataclasses.dataclass(frozen=True)
class Apt:
    """One set of apt sources.

    suite: a Debian release such as "trixie", or None for the machine's own sources.
    """

    suite: str | None = None

    def update(self) -> None:
        """Download the package lists. Raises as run()."""
        run("apt-get", "-q", "update", env=self._environment(), tries=TRIES)
        if self.suite is not None:
            self._stamp.touch()

    def lists_age(self) -> float:
        """Return the seconds since a suite's lists were downloaded, infinity if never."""
        try:
            return time.time() - self._stamp.stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def dependencies(self, package: str, pattern: str) -> list[str]:
        """Return the names of the package's dependencies that match the whole pattern.

        Raises subprocess.CalledProcessError or TimeoutExpired.
        """
        depends = run("apt-cache", "depends", "--important", package, env=self._environment())
        return re.findall(rf"Depends: ({pattern})$", depends, re.MULTILINE)

    def dependency(self, package: str, pattern: str) -> str:
        """Return the first of dependencies(). Raises RuntimeError if there is none."""
        found = self.dependencies(package, pattern)
        if not found:
            raise RuntimeError(f"apt has no {package}: run 'apt-get update'")
        return found[0]

    def unpack(self, work: pathlib.Path, *packages: str) -> pathlib.Path:
        """Unpack the packages in the new folder ``work``, and download those that are missing.

        Returns the folder with the files that the packages would install. Raises as run().
        """
        work.mkdir()
        downloaded = cache_dir() / "downloaded"
        downloaded.mkdir(exist_ok=True)
        command = ("apt-get", "-q", "download", *packages)
        environment = self._environment()
        # Each line has an address, a file name, a size and a hash. apt prints no line for a file
        # that is already in the folder.
        uris = run(*command, "--print-uris", cwd=work, env=environment).splitlines()
        files = [uri.split()[1] for uri in uris]
        if not all((downloaded / file).exists() for file in files):
            run(*command, cwd=downloaded, env=environment, tries=TRIES)
        for file in files:
            run("dpkg-deb", "-x", str(downloaded / file), "unpacked", cwd=work)
        return work / "unpacked"

    @property
    def _folder(self) -> pathlib.Path:
        return cache_dir() / f"apt-{self.suite}"

    @property
    def _stamp(self) -> pathlib.Path:
        return self._folder / "updated"

    def _environment(self) -> dict[str, str]:
        if self.suite is None:
            return dict(os.environ)
        if not (self._folder / "apt.conf").exists():
            self._configure(self._folder)
        return {**os.environ, "APT_CONFIG": str(self._folder / "apt.conf")}

    def _configure(self, folder: pathlib.Path) -> None:
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        source = f"deb [signed-by={KEYRING}] {mirror()} {self.suite} main\n"
        (folder / "sources.list").write_text(source)
        (folder / "apt.conf").write_text(SUITE_CONFIG.format(folder=folder))


@functools.cache
def mirror() -> str:
    """Return the address of the Debian mirror in the machine's apt sources.

    Raises RuntimeError if the sources name no Debian mirror.
    """
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI)")
    addresses = run(*command, "Created-By: Packages", "Label: Debian").split()
    if not addresses:
        raise RuntimeError("apt's sources name no Debian mirror")
    return addresses[0]


@functools.cache
def unpacked(package: str) -> pathlib.Path:
    """Return the folder with the files that a package would install.

    The folder is kept in the cache under the package's name. Raises as run().
    """
    target = cache_dir() / package
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            put(Apt().unpack(pathlib.Path(scratch) / "work", package), target)
    return target


def run(
    *command: str,
    cwd: pathlib.Path | None = None,
    env: Mapping[str, str] | None = None,
    tries: int = 1,
) -> str:
    """Run a command and return its standard output.

    tries: how often a command that downloads is run until it succeeds. Raises
    subprocess.CalledProcessError or TimeoutExpired; with tries download.DownloadError.
    """
    if tries > 1:
        environment = None if env is None else dict(env)
        return download.attempt(
            *command, seconds=SECONDS, tries=tries, cwd=cwd, environment=environment
        )
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, check=True, text=True, timeout=SECONDS
    )
    return done.stdout
