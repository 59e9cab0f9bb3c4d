# SPDX-License-Identifier: Apache-2.0
"""Every meter from a real guest through the real agent, compared with virsh and stock meters."""

import subprocess

import pytest

from ceilometer_memballoon.meters import COMING, METERS
from tests.lab.guest import Guest
from tests.lab.stepped import SteppedAgent
from tests.lab.waiting import wait_for

SECONDS = 60
KIB_PER_MIB = 1024
#: Longer than a test runs, so that a guest's first report stays unchanged.
LONG_PERIOD = 60
#: rss (KiB) and age (s) change between two reads.
MOVES = {"rss": 8192, "age": 3}

#: The statistic of each meter that has exactly one, and how many of its units make the meter's
#: unit.
SINGLE = {
    "memory.resident": ("rss", KIB_PER_MIB),
    "memory.available": ("available", KIB_PER_MIB),
    "memory.unused": ("unused", KIB_PER_MIB),
    "memory.usable": ("usable", KIB_PER_MIB),
    "memory.cached": ("disk_caches", KIB_PER_MIB),
    "memory.balloon": ("actual", KIB_PER_MIB),
    "memory.swap.in": ("swap_in", KIB_PER_MIB),
    "memory.swap.out": ("swap_out", KIB_PER_MIB),
    "memory.fault.major": ("major_fault", 1),
    "memory.fault.minor": ("minor_fault", 1),
    "memory.hugetlb.pgalloc": ("hugetlb_pgalloc", 1),
    "memory.hugetlb.pgfail": ("hugetlb_pgfail", 1),
}
#: The pollsters whose statistics libvirt reports today.
SENT = set(METERS) - {meter.pollster for meter in COMING}
#: Stock meters that must equal ours. memory.available exists from Ceilometer 25 on.
STOCK = ("memory.usage", "memory.available", "memory.swap.in", "memory.swap.out")


def dommemstat(guest):
    """Return the guest's statistics from virsh: KiB and counts by name."""
    command = ["virsh", "-c", guest.hypervisor.uri, "dommemstat", guest.name]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=SECONDS)
    return {name: int(value) for name, value in map(str.split, done.stdout.split("\n")[:-2])}


@pytest.fixture(scope="module")
def cycle(hypervisor):
    """One cycle of an agent with all meters, ours and stock, on a paused guest."""
    guest = Guest(hypervisor, "still", period=LONG_PERIOD)
    try:
        guest.wait_until_up()
        meters = (*METERS, *STOCK)
        with SteppedAgent(hypervisor, meters=meters, period=LONG_PERIOD) as agent:
            agent.cycle()
            yield guest, agent.cycle()
    finally:
        guest.destroy()


def test_every_meter_equals_the_value_of_virsh(cycle):
    guest, found = cycle
    volumes = {name: values[0] for name, values in found.volumes(guest.uuid).items()}
    said = dommemstat(guest)
    moved = {
        name: volumes[name] * scale - said[stat]
        for name, (stat, scale) in SINGLE.items()
        if abs(volumes[name] * scale - said[stat]) > MOVES.get(stat, 0)
    }
    assert moved == {}
    used = said["available"] - said["usable"]
    assert volumes["memory.usage"] * KIB_PER_MIB == used
    assert volumes["memory.util"] == 100 * used / said["available"]
    assert 0 <= volumes["memory.stats.age"] < LONG_PERIOD
    assert volumes["memory.stats.state"] == 0
    assert set(volumes) == {METERS[name].name for name in SENT}


def test_stock_meters_agree_in_the_same_cycle(cycle):
    guest, found = cycle
    volumes = found.volumes(guest.uuid)
    twice = {name: values for name, values in volumes.items() if len(values) == 2}
    assert {name: ours for name, (ours, _) in twice.items()} == {
        name: stock for name, (_, stock) in twice.items()
    }
    assert set(twice) | {"memory.available"} == set(STOCK)


@pytest.mark.purging_exporter
def test_every_meter_is_exported_until_its_guest_leaves(boot_many, start_agent):
    guest, staying = boot_many(2)
    agent = start_agent(interval=1, meters=tuple(METERS))
    exported = {f"ceilometer_{name}" for name in SENT}

    def exports():
        found = agent.metrics()
        names = {uuid: {n for n, u in found if u == uuid} for uuid in (guest.uuid, staying.uuid)}
        return {uuid: its for uuid, its in names.items() if its}

    both = {guest.uuid: exported, staying.uuid: exported}
    wait_for(lambda: exports() == both, SECONDS, "all meters", agent.log_text)
    guest.destroy()
    wait_for(lambda: exports() == {staying.uuid: exported}, SECONDS, "its gauges to leave")
