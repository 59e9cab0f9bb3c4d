# SPDX-License-Identifier: Apache-2.0
"""What the tests of tox environments need in addition to the environments."""

import dataclasses
import functools
from collections.abc import Callable, Iterator

from tests.lab import download, image, kernels
from tests.lab.chain import grafana, picture
from tests.lab.distro import parts as distro_parts
from tests.lab.distro import root as distro_root
from tests.lab.distro import run as distro_run
from tools.testrun import tox

#: Environments that boot no guest on this machine.
NO_LAB = (
    "unit", "libvirt", "coverage", "docs", "package", "lint", "types", "mutation",
    "debian13", "debian13-short", "debian-sid", "tempest",
)  # fmt: skip
#: Environments whose programs are run by the tests of another one.
RUN_BY = {"cloud": ("tempest",)}
#: Environments that draw the dashboard's picture.
DRAWING = ("chain", "cloud")
#: Programs that are unpacked instead of installed, by Debian package.
UNPACKED = {
    "libvirt-daemon-system": "libvirt's rights as polkit names them, for tests of least privilege",
}
SERVICES = {
    "prometheus": "Prometheus and promtool, for the rules and the dashboard",
    "prometheus-node-exporter": "node_exporter, for the rules about hosts",
    "prometheus-pushgateway": "Pushgateway, for samples that Ceilometer pushes",
    "nginx": "nginx, in front of Gnocchi and Prometheus for Aodh",
}
CLOUD = {
    "qemu-utils": "qemu-img, for the images of a cloud's servers",
}


@dataclasses.dataclass(frozen=True)
class Need:
    """One thing to fetch. get raises an exception if it is not available."""

    name: str
    purpose: str
    get: Callable[[], object]


def environments_for(names: list[str]) -> list[str]:
    """Return these environments and those whose programs their tests run."""
    further = [one for name in names for one in RUN_BY.get(name, ()) if one not in names]
    return [*names, *further]


def needs_of(names: list[str]) -> Iterator[Need]:
    """Yield what these environments' tests need, in the order of fetching."""
    yield from _lab(names)
    yield from _npm(names)
    yield from _releases(names)


def _lab(names: list[str]) -> Iterator[Need]:
    # Without the lab's system packages the tests with guests are skipped.
    if set(names) <= set(NO_LAB) or not image.BUSYBOX.exists():
        return
    forge = functools.partial(image.build, forge=True)
    yield _from_debian("guest", "kernel and initramfs of all lab guests", image.build)
    yield _from_debian("forging guest", "guests that forge their statistics", forge)
    unpacked = UNPACKED | (SERVICES if _services(names) else {}) | (CLOUD if _cloud(names) else {})
    for package, purpose in unpacked.items():
        yield _from_debian(package, purpose, functools.partial(image.unpacked, package))
    for suite in kernels.SUITES if "qemu" in names else ():
        get = functools.partial(kernels.prepare, suite)
        yield Need(f"guest of {suite}", "the test of guest kernels", get)


def _from_debian(name: str, purpose: str, get: Callable[[], object]) -> Need:
    """Return a need that updates apt's package lists if they are missing or too old."""

    def get_with_lists() -> None:
        try:
            get()
        except Exception:  # the second try reports its own error
            download.renew_lists(tries=1)
            get()

    return Need(name, purpose, get_with_lists)


def _npm(names: list[str]) -> Iterator[Need]:
    if "services" in names:
        get = functools.partial(grafana.fetch, tox.programs_of("services"))
        yield Need("Grafana's schema from npm", "the dashboard's types", get)
    for name in names:
        if name in DRAWING:
            get = functools.partial(picture.fetch, tox.programs_of(name))
            yield Need("ECharts from npm", "the dashboard's picture", get)


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


def _services(names: list[str]) -> bool:
    return "services" in names or "chain" in names or _cloud(names)


def _cloud(names: list[str]) -> bool:
    return any(name.startswith("cloud") for name in names)
