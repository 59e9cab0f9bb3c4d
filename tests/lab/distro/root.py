# SPDX-License-Identifier: Apache-2.0
"""Build root folders of Debian releases and keep them in the cache."""

import dataclasses
import hashlib
import pathlib
import shutil
import tempfile

from tests.lab.apt import KEYRING, mirror, run
from tests.lab.cache import cache_dir, put
from tests.lab.distro import namespaces

#: Seconds that one try to build a root folder may take, and the number of tries.
BUILD_SECONDS = 900
TRIES = 3

#: Packages that the lab and the Python packages need. bindep.txt lists them for a whole machine.
LAB = (
    "busybox-static", "ca-certificates", "dbus", "gcc", "libvirt-clients", "libvirt-daemon",
    "libvirt-daemon-driver-qemu", "libvirt-dev", "make", "pkg-config", "polkitd", "python3-dev",
    "python3-venv", "qemu-system-x86", "util-linux",
)  # fmt: skip
#: The same, with the release's own Ceilometer and test tools, and what builds the package.
OWN = (
    *LAB,
    "autopkgtest", "bash-completion", "build-essential", "ceilometer-agent-compute",
    "debhelper", "dh-python", "dpkg-dev", "fakeroot", "libvirt-daemon-system", "lintian", "man-db",
    "pybuild-plugin-pyproject", "python3-all", "python3-cliff", "python3-hypothesis",
    "python3-libvirt", "python3-lxml", "python3-pip", "python3-oslo.upgradecheck", "python3-pytest",
    "python3-pytest-timeout", "python3-setuptools", "python3-sphinx", "sudo", "systemd",
)  # fmt: skip
#: Keeps packages from starting services when they are installed.
NO_SERVICES = (
    'printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"; '
    'chmod 755 "$1/usr/sbin/policy-rc.d"'
)


class BuildError(Exception):
    """A root folder could not be built."""


@dataclasses.dataclass(frozen=True)
class Root:
    """A root folder. suite: the Debian release; packages: what is installed in it."""

    suite: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> pathlib.Path:
        """The folder in the cache."""
        recipe = hashlib.sha256(" ".join((*self.packages, NO_SERVICES)).encode())
        return cache_dir() / "roots" / f"{self.suite}-{recipe.hexdigest()[:12]}"

    def build(self) -> pathlib.Path:
        """Return the folder. Build it if it is missing. Raises BuildError."""
        if not self.folder.exists():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(TRIES):
                if self._try():
                    break
            else:
                raise BuildError(f"mmdebstrap made no root folder of {self.suite}")
        return self.folder

    def _try(self) -> bool:
        scratch = pathlib.Path(tempfile.mkdtemp(dir=self.folder.parent))
        try:
            made = namespaces.isolated(*self._command(scratch), seconds=BUILD_SECONDS) == 0
            if made:
                put(scratch / "root", self.folder)
            return made
        finally:
            shutil.rmtree(scratch)

    def _command(self, scratch: pathlib.Path) -> list[str]:
        # The machine's proxies and its check of a mirror's age also apply to the root folder.
        options = scratch / "apt.conf"
        options.write_text(run("apt-config", "dump", "Acquire"))
        return [
            "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--keyring={KEYRING}",
            f"--aptopt={options}", "--dpkgopt=force-unsafe-io",
            f"--include={','.join(self.packages)}",
            f"--customize-hook={NO_SERVICES}",
            # The lab finds its guests' kernel in these lists.
            "--skip=cleanup/apt/lists",
            self.suite, str(scratch / "root"), f"deb {mirror()} {self.suite} main",
        ]  # fmt: skip


def lacks() -> list[str]:
    """Return what this machine lacks to build and use a root folder, in words."""
    programs = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "setpriv": "util-linux"}
    packages = {package for name, package in programs.items() if not shutil.which(name)}
    if not KEYRING.exists():
        packages.add("debian-archive-keyring")
    return [*namespaces.lacks(), *(f"the package {package}" for package in sorted(packages))]
