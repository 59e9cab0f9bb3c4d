# SPDX-License-Identifier: Apache-2.0
"""Every meter from a real guest through the real agent, against virsh and the stock ones."""

import subprocess

import pytest

from ceilometer_memballoon.meters import COMING, METERS
from tests.lab.guest import Guest
from tests.lab.stepped import SteppedAgent
from tests.lab.waiting import wait_for

SECONDS = 60
KIB_PER_MIB = 1024
#: Not renewed while a test runs: what a guest reported once stays what it is.
LONG_PERIOD = 60
#: rss and age move between two reads; KiB and s.
MOVES = {"rss": 8192, "age": 3}

#: Statistic behind each meter that has just one, and how many of it make the unit.
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
#: The pollsters whose statistics today's libvirt passes on.
SENT = set(METERS) - {meter.pollster for meter in COMING}
#: Stock meters whose values must agree with ours. memory.available exists from 25 on.
STOCK = ("memory.usage", "memory.available", "memory.swap.in", "memory.swap.out")


def dommemstat(guest):
    """What virsh says of the guest: KiB and counts by name."""
    command = ["virsh", "-c", guest.hypervisor.uri, "dommemstat", guest.name]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=SECONDS)
    return {name: int(value) for name, value in map(str.split, done.stdout.split("\n")[:-2])}


@pytest.fixture(scope="module")
def cycle(hypervisor):
    """One cycle of an agent with all meters, ours and stock, on a guest that stands still."""
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
def test_every_meter_is_exported_until_its_guest_leaves(boot, start_agent):
    guest, staying = boot("instance-1"), boot("instance-2")
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
