# SPDX-License-Identifier: Apache-2.0
"""One polling cycle on each kind of real guest."""

import subprocess
import time

import libvirt
import pytest

from ceilometer_memballoon.reading import Reason, usage
from tests.lab.rpc import GET_ALL_DOMAIN_STATS, counted
from tests.lab.waiting import wait_for

TAKEN_MIB = 40
MEMORY_MIB = 192
#: The most by which two reads of an idle guest may differ.
TOLERANCE_KIB = 4096


def cycle(collector, guest):
    """Return the guest's reading from one new cycle."""
    return collector.readings({}, [guest.uuid])[guest.uuid]


def followed(collector, guest):
    """Wait until the usage is what the guest's own meminfo says. Return that figure, in KiB."""
    figures = []

    def agrees():
        figures[:] = usage(cycle(collector, guest).guest), guest.used()
        return abs(figures[0] - figures[1]) <= TOLERANCE_KIB

    wait_for(agrees, 20, "usage as in the guest's meminfo", lambda: str(figures))
    return figures[1]


@pytest.mark.by_version
@pytest.mark.parametrize("model", ["virtio", "virtio-transitional", "virtio-non-transitional"])
def test_guest_booted_without_a_period_reports_in_the_cycle_that_enables_it(
    boot, make_collector, model
):
    guest = boot(period=None, model=model)
    reading = cycle(make_collector(), guest)
    assert (reading.reason, guest.live_period()) == (None, 10)
    assert 0 < usage(reading.guest) < guest.memory * 1024


def test_old_statistics_are_renewed_in_the_cycle_that_enables_the_guest(boot, make_collector):
    guest = boot(period=None)
    before = guest.domain.memoryStats()["last_update"]
    # The clock is ahead, so the statistics of the boot are too old and new ones are not.
    wait_for(lambda: time.time() - before > 5, 10, "the boot's statistics to age")
    reading = cycle(make_collector(ahead=27), guest)
    assert reading.reason is None
    assert guest.domain.memoryStats()["last_update"] > before


def test_another_period_is_replaced_by_the_options(boot, make_collector):
    guest = boot(period=60)
    cycle(make_collector(period=7), guest)
    assert guest.live_period() == 7


@pytest.mark.parametrize("option", [0, -1])
def test_guest_is_untouched_with_the_option_off(boot, make_collector, option):
    guest = boot(period=None)
    before = guest.live_xml()
    reading = cycle(make_collector(period=option), guest)
    assert (reading.reason, guest.live_xml()) == (None, before)


def test_old_statistics_of_the_boot_are_stale(boot, make_collector):
    guest = boot(period=None)
    reading = cycle(make_collector(period=0, ahead=60), guest)
    assert (reading.reason, usage(reading.guest)) == (Reason.STALE, None)
    assert reading.host["rss"] > 0


def test_guest_without_driver_has_resident_memory_only(boot, make_collector):
    reading = cycle(make_collector(), boot(driver=False))
    assert reading.reason is Reason.NO_GUEST_DRIVER
    assert reading.host["rss"] > 0


def test_guest_without_device_has_resident_memory_only(boot, make_collector):
    reading = cycle(make_collector(), boot(model="none", period=None))
    assert reading.reason is Reason.NO_BALLOON_DEVICE
    assert reading.host["rss"] > 0
    assert "actual" not in reading.host


def test_guest_paused_from_the_start_has_resident_memory_only(boot, make_collector):
    reading = cycle(make_collector(), boot(paused=True))
    assert reading.reason is Reason.PAUSED
    assert reading.host["rss"] > 0


def test_guest_paused_for_long_keeps_its_resident_memory(boot, make_collector):
    guest = boot()
    guest.domain.suspend()
    reading = cycle(make_collector(ahead=60), guest)
    assert reading.reason is Reason.PAUSED
    assert reading.host["rss"] > 0


def test_usage_follows_a_guest_that_takes_memory_and_gives_it_back(boot, make_collector):
    guest = boot(period=1, memory=MEMORY_MIB)
    collector = make_collector(period=1)
    before = followed(collector, guest)
    guest.take(TAKEN_MIB)
    taken = followed(collector, guest)
    guest.give_back()
    after = followed(collector, guest)
    # The rise is less than what was taken. The kernel first uses free pages that its MemFree
    # omits: those of the per-CPU lists, several MiB from Linux 6.12 on.
    assert taken > before + TOLERANCE_KIB
    assert taken > after + TOLERANCE_KIB


def test_balloon_pages_do_not_count_as_used(boot, make_collector):
    # With Nova's autodeflate the guest's total does not change.
    guest = boot(period=1, memory=MEMORY_MIB)
    collector = make_collector(period=1)
    before = cycle(collector, guest)
    half = MEMORY_MIB // 2 * 1024
    guest.domain.setMemoryFlags(half, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    reports = []

    def is_reported():
        reports.append(cycle(collector, guest))
        return reports[-1].host["actual"] == half and reports[-1].guest["usable"] < half

    wait_for(is_reported, 20, "a report of the guest with an inflated balloon")
    after = reports[-1]
    assert after.guest["available"] == before.guest["available"]
    # available does not include what the kernel reserves, and actual does.
    kernel = before.host["maximum"] - before.guest["available"]
    grown = usage(after.stats) - usage(before.stats)
    assert -TOLERANCE_KIB < grown < kernel + TOLERANCE_KIB


@pytest.mark.by_version
def test_rebooted_guest_reports_again_and_keeps_its_period(boot, make_collector):
    guest = boot(period=None)
    collector = make_collector(period=1)
    cycle(collector, guest)
    guest.reboot()
    boots = guest.domain.memoryStats()["last_update"]
    wait_for(lambda: guest.domain.memoryStats()["last_update"] > boots, 20, "a new report")
    assert (cycle(collector, guest).reason, guest.live_period()) == (None, 1)


def test_guest_that_leaves_after_discovery_is_gone_and_the_others_are_read(
    boot_many, make_collector
):
    leaving, staying = boot_many(2)
    leaving.destroy()
    readings = make_collector().readings({}, [leaving.uuid, staying.uuid])
    assert (readings[leaving.uuid].reason, readings[staying.uuid].reason) == (Reason.GONE, None)


@pytest.mark.by_version
def test_statistics_are_those_of_memorystats(boot, make_collector):
    guest = boot(period=None)
    reading = cycle(make_collector(period=0), guest)
    # Without a period only the host's view of the process changes.
    expected = guest.domain.memoryStats()
    for name in ("last_update", "rss"):
        expected.pop(name)
    found = {**reading.host, **reading.guest}
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("guests", [1, 3])
def test_healthy_cycle_is_two_calls_whatever_the_number_of_guests(
    boot_many, hypervisor, make_collector, guests
):
    boot_many(guests)
    with counted(hypervisor) as counter:
        collector = make_collector(uri=counter.uri)
        collector.readings({}, [])
        counter.calls.clear()
        collector.readings({}, [])
    # The list of domains with their states, and their statistics.
    assert counter.calls == {GET_ALL_DOMAIN_STATS: 2}


def test_period_can_be_taken_away_again(boot):
    guest = boot(period=10)
    command = ("virsh", "--connect", guest.hypervisor.uri, "dommemstat", guest.name)
    subprocess.run(
        [*command, "--period", "0", "--live"],
        check=True, stdout=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert guest.live_period() == 0
