# SPDX-License-Identifier: Apache-2.0
"""Faults that depend on the versions of libvirt and QEMU, found with newer ones than Debian 12's.

``tox -e debian13`` runs these tests with libvirt 11.3 and QEMU 10. They also pass with older
ones.
"""

import contextlib
import time

import pytest

from ceilometer_memballoon.reading import Reason
from tests.qemu.conftest import timed_cycle

pytestmark = pytest.mark.by_version

TIMEOUT = 2.0
#: Longer than a guest takes to reboot, in seconds.
BOOT_SECONDS = 120.0
CYCLES = 6


@contextlib.contextmanager
def hung(guest):
    """Hang the guest while the context is active."""
    guest.hang()
    try:
        yield
    finally:
        guest.unhang()


@pytest.mark.parametrize("proc", [True, False], ids=["sees /proc", "sees no /proc"])
def test_guest_that_hung_before_the_first_cycle_costs_the_others_nothing(
    boot_many, make_collector, proc
):
    # From libvirt 11.0 on XMLDesc waits 30 s for a job that a stuck call holds.
    first, *others = boot_many(3, period=None)
    collector = make_collector(timeout=TIMEOUT, proc=proc)
    with hung(first):
        cycles = [timed_cycle(collector) for _ in range(CYCLES)]
        periods = [guest.live_period() for guest in others]
    # Without /proc the hung guest is not asked in every cycle.
    assert {found.pop(first.uuid) for found, _ in cycles} <= {
        Reason.NOT_RESPONDING, Reason.NOT_ASKED,
    }  # fmt: skip
    assert [found for found, _ in cycles] == [{guest.uuid: None for guest in others}] * CYCLES
    assert periods == [10, 10]
    # Only the first cycle may wait for the hung guest.
    assert max(seconds for _, seconds in cycles[1:]) < TIMEOUT / 2


def test_rebooting_guest_is_not_reported_as_driverless(boot, make_collector, caplog):
    # QEMU 10 clears the statistics of a guest that reboots, QEMU 7.2 keeps them.
    guest = boot(period=1)
    collector = make_collector(period=1, boot_seconds=BOOT_SECONDS)
    assert timed_cycle(collector)[0] == {guest.uuid: None}
    guest.command("reboot", answered=False)
    found = set()
    end = time.monotonic() + BOOT_SECONDS
    while not guest.has_booted(2) and time.monotonic() < end:
        found.add(timed_cycle(collector)[0][guest.uuid])
        time.sleep(0.1)
    guest.wait_until_up(2)
    assert found <= {None, Reason.BOOTING}
    assert Reason.NO_GUEST_DRIVER.value not in caplog.text
