# SPDX-License-Identifier: Apache-2.0
"""Fetch what tox environments need: their packages, guest kernels, services, npm packages.

``python -m tools.testrun.fetch [ENVIRONMENT ...]``: those of ./tools/test by default.
What is there already costs no network.
"""

import dataclasses
import functools
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from tests.lab import download, image, kernels
from tests.lab.chain import grafana
from tests.lab.distro import parts as distro_parts
from tests.lab.distro import root as distro_root
from tests.lab.distro import run as distro_run
from tools.testrun import tox

#: To make one environment. Building libvirt-python takes the longest.
ENVIRONMENT_SECONDS = 180
#: What is there already takes less, and is not worth a line.
SILENT_SECONDS = 8
#: Environments that boot no guest.
NO_LAB = ("unit", "libvirt", "coverage", "docs", "package", "lint", "types", "mutation")
#: Programs that are unpacked and not installed, by Debian package.
UNPACKED = {
    "libvirt-daemon-system": "polkit's names of libvirt's rights, for tests of least rights",
}
SERVICES = {
    "prometheus": "Prometheus and promtool, for the rules and the dashboard",
    "prometheus-node-exporter": "node_exporter, for the rules about hosts",
    "prometheus-pushgateway": "Pushgateway, for samples that Ceilometer pushes",
    "nginx": "nginx, in front of Gnocchi and Prometheus for Aodh",
}
CLOUD = {"qemu-utils": "qemu-img, for the images that Nova boots"}


@dataclasses.dataclass(frozen=True)
class Need:
    """One thing to fetch. get raises an exception if it is not available."""

    name: str
    purpose: str
    get: Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Failure:
    """A need that is not available, and why."""

    need: Need
    error: str

    def __str__(self) -> str:
        return f"not available: {self.need.name} ({self.need.purpose}): {self.error}"


def main() -> int:
    """Fetch, and name what is not available in a line each; the exit status."""
    failures = fetch(sys.argv[1:] or tox.environments())
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def fetch(names: list[str]) -> list[Failure]:
    """Fetch all that these environments need; return what is not available."""
    # pip's and uv's own defaults are up to three minutes for one answer.
    os.environ["UV_HTTP_TIMEOUT"] = os.environ["PIP_DEFAULT_TIMEOUT"] = "15"
    at_once = Need("tox environments", ", ".join(names), functools.partial(_make, names, tries=1))
    needs = [*_lab(names), *_npm(names), *_releases(names)]
    # The environments are made beside each other, or each alone to name the one that fails.
    if _failure(at_once):
        alone = (Need(name, "tox environment", functools.partial(_make, [name])) for name in names)
        needs = [*alone, *needs]
    return [failure for need in needs if (failure := _failure(need))]


def _failure(need: Need) -> Failure | None:
    """Why it is not available, or None once it is."""
    begin = time.monotonic()
    _show(f"Fetching: {need.name} ...")
    try:
        need.get()
    except Exception as error:  # whatever went wrong, it is named and the rest is fetched
        return Failure(need, " ".join(str(error).split()) or repr(error))
    finally:
        _show("")
    if (seconds := time.monotonic() - begin) > SILENT_SECONDS:
        print(f"fetched: {need.name} ({seconds:.0f} s)", flush=True)
    return None


def _show(text: str) -> None:
    """Replace the terminal's current line by this text."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def _make(names: list[str], tries: int = 2) -> None:
    command = (*tox.COMMAND, "run-parallel", "--parallel", "2", "--notest", "-e", ",".join(names))
    seconds = ENVIRONMENT_SECONDS * len(names)
    download.attempt(*command, seconds=seconds, tries=tries, cwd=tox.TREE)


def _lab(names: list[str]) -> Iterator[Need]:
    # Without the lab's system packages there are no guests, and their tests are skipped.
    if not _any(names, lambda name: name not in NO_LAB) or not image.BUSYBOX.exists():
        return
    forge = functools.partial(image.build, forge=True)
    yield _from_debian("guest", "kernel and initramfs of all lab guests", image.build)
    yield _from_debian("forging guest", "guests that forge their statistics", forge)
    packages = UNPACKED | (SERVICES if _services(names) else {}) | (CLOUD if _cloud(names) else {})
    for package, purpose in packages.items():
        yield _from_debian(package, purpose, functools.partial(image.unpacked, package))
    for suite in kernels.SUITES if "qemu" in names else ():
        get = functools.partial(kernels.prepare, suite)
        yield Need(f"guest of {suite}", "the test of guest kernels", get)


def _from_debian(name: str, purpose: str, get: Callable[[], object]) -> Need:
    """A need that renews apt's lists if they are too old for it, or not there."""

    def get_with_lists() -> None:
        try:
            get()
        except Exception:  # whatever it was, a second failure is told
            download.renew_lists(tries=1)
            get()

    return Need(name, purpose, get_with_lists)


def _npm(names: list[str]) -> Iterator[Need]:
    if _services(names) and not _cloud(names):
        get = functools.partial(grafana.fetch, programs_of("services"))
        yield Need("Grafana's schema from npm", "the dashboard's types", get)


def _releases(names: list[str]) -> Iterator[Need]:
    for name in names:
        if name in distro_parts.RELEASES:
            get = functools.partial(_make_release, name)
            yield Need(f"root folder of {name}", "the tests in it", get)


def _make_release(name: str) -> None:
    if lacking := distro_root.lacks():
        raise RuntimeError(f"this machine lacks {', '.join(lacking)}")
    suite, parts = distro_parts.RELEASES[name]
    distro_run.Release(suite).fetch(parts)


def programs_of(environment: str) -> pathlib.Path:
    """The folder of an environment's programs."""
    return tox.TREE / ".tox" / environment / "bin"


def _services(names: list[str]) -> bool:
    return _any(names, lambda name: fnmatchcase(name, "services*") or name == "chain") or _cloud(
        names
    )


def _cloud(names: list[str]) -> bool:
    return _any(names, lambda name: name.startswith("cloud"))


def _any(names: list[str], wanted: Callable[[str], bool]) -> bool:
    return any(wanted(name) for name in names)


if __name__ == "__main__":
    sys.exit(main())
