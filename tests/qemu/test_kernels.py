# SPDX-License-Identifier: Apache-2.0
"""Guests with kernels of several Debian releases report their own view of memory."""

import pytest

from ceilometer_memballoon.reading import usage
from tests.conftest import skip_or_fail
from tests.lab import kernels
from tests.lab.waiting import wait_for

TAKEN_MIB = 40
#: The most by which two reads of an idle guest may differ, in KiB.
TOLERANCE = 2048
#: The name in /proc/meminfo of each of libvirt's statistics that is the same quantity.
MEMINFO = {
    "available": "MemTotal",
    "unused": "MemFree",
    "usable": "MemAvailable",
    "disk_caches": "Cached",
}


@pytest.fixture(scope="module", autouse=True)
def images():
    """Skip the tests without the kernels, or fail them under REQUIRE_LAB=1."""
    if missing := kernels.missing():
        skip_or_fail(f"no kernels of {', '.join(missing)}: run python -m tests.lab.kernels")


@pytest.mark.parametrize("suite", kernels.SUITES)
def test_guest_reports_the_figures_of_its_meminfo(boot, make_collector, suite):
    guest = boot(period=1, suite=suite, memory=192)
    guest.take(TAKEN_MIB)
    collector = make_collector(period=1)

    def differences():
        """Return by how many KiB the reading differs from the guest's own figures, by name."""
        found = collector.readings({}, [])[guest.uuid].guest
        meminfo = guest.meminfo()
        expected = {name: meminfo[own] for name, own in MEMINFO.items()}
        expected["usage"] = guest.used()
        found = {**found, "usage": usage(found)}
        return {name: found[name] - value for name, value in expected.items()}

    wait_for(
        lambda: all(abs(value) <= TOLERANCE for value in differences().values()),
        20, "a report like the guest's own", lambda: str(differences()),
    )  # fmt: skip
    assert guest.meminfo()["Cached"] > TAKEN_MIB * 1024
