# SPDX-License-Identifier: Apache-2.0
"""Servers are created and deleted on both hosts while one service after another fails."""

import contextlib
import dataclasses
import itertools
import os
import random
import re
import signal
import time

import pytest

from ceilometer_memballoon.meters import METERS
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.cloud.recorder import Recorder
from tests.lab.cloud.server import Server

SECONDS = float(os.environ.get("CLOUD_BUSY_SECONDS", "600"))
MOST_SERVERS = 12
#: The seed of the sequence. It repeats as far as the cloud is equally fast.
SEED = 1
HANG_SECONDS = 60
#: The number of servers rises for RUSH_SECONDS of each HOUR_SECONDS, up to MOST_SERVERS, and falls
#: after that. The chances are those of a creation; else a server is deleted.
HOUR_SECONDS, RUSH_SECONDS = 150, 100
RUSH_CHANCE, CALM_CHANCE = 0.9, 0.2
#: Seconds around a restart of libvirtd in which the cycles of its host can be incomplete.
RESTART_SECONDS = 3 * INTERVAL
STOCK = (
    "cpu", "vcpus", "memory", "power.state", "disk.root.size", "disk.ephemeral.size",
    "disk.device.read.bytes", "disk.device.read.requests", "disk.device.write.bytes",
    "disk.device.write.requests", "disk.device.capacity", "disk.device.allocation",
)  # fmt: skip
#: Lines that libraries log while the broker is down.
BROKER = re.compile(r" ERROR oslo[._]messaging|amqp|AMQP|Connection reset|ECONNREFUSED")
#: Every OpenStack service without memcached's client logs this at its start.
CACHE = "Could not load 'oslo_cache.memcache_pool'"
WARM_UP_CYCLES = 6


@dataclasses.dataclass
class Lifetime:
    """A server, the times from which it was ACTIVE, and when its deletion was requested."""

    server: Server
    host: str
    active: float = float("inf")
    end: float = float("inf")
    hung: tuple[float, float] = (float("inf"), float("inf"))


@dataclasses.dataclass
class Day:
    """All that happened: lifetimes of servers, records by host, and restarts of libvirtd."""

    lifetimes: list[Lifetime]
    records: dict[str, Recorder]
    restarted: tuple[str, float]


@pytest.fixture(scope="module")
def day(cloud, tool_beside):
    with contextlib.ExitStack() as running:
        records = {}
        for name, host in cloud.hosts.items():
            # As in etc/ceilometer/polling.yaml for stock pollsters. If one server disappears
            # meanwhile, Ceilometer's own discovery fails as a whole.
            host.start_agent(
                meters=(*METERS, *STOCK),
                discoveries=("memballoon_instances",),
                settings="[memballoon]\nserve_stock_meters = true\n",
            )
            running.callback(host.start_agent)
            records[name] = running.enter_context(Recorder(host))
        lifetimes = []
        try:
            restarted = run_day(cloud, lifetimes)
        finally:
            for lifetime in lifetimes:
                lifetime.end = min(lifetime.end, time.monotonic())
            delete_all(cloud, lifetimes)
        yield Day(lifetimes, records, restarted)


def run_day(cloud, lifetimes):
    """Create and delete servers, with faults in between. Return host and time of libvirtd's
    restart."""
    chance = random.Random(SEED)
    begin = time.monotonic()
    faults = [(0.3, hang), (0.5, restart_broker), (0.7, restart_libvirtd)]
    restarted = ("", float("inf"))
    hung = None
    while (now := time.monotonic()) < begin + SECONDS:
        note_active(cloud, lifetimes)
        if hung is not None and now > hung.hung[0] + HANG_SECONDS:
            hung.server.signal(signal.SIGCONT)
            hung.hung = (hung.hung[0], time.monotonic())
            hung = None
        if faults and now > begin + faults[0][0] * SECONDS:
            result = faults.pop(0)[1](cloud, lifetimes)
            hung = result if isinstance(result, Lifetime) else hung
            restarted = result if isinstance(result, tuple) else restarted
        create_or_delete(cloud, lifetimes, chance, hung, rush=is_rush_hour(now - begin))
        time.sleep(chance.uniform(1, 4))
    if hung is not None:
        hung.server.signal(signal.SIGCONT)
    return restarted


def delete_all(cloud, lifetimes):
    """Delete all servers at the same time."""
    for lifetime in lifetimes:
        cloud.admin.compute.delete_server(lifetime.server.id, ignore_missing=True)
    for lifetime in lifetimes:
        lifetime.server.delete()


def create_or_delete(cloud, lifetimes, chance, hung, *, rush):
    there = [lifetime for lifetime in lifetimes if lifetime.end == float("inf")]
    if len(there) < MOST_SERVERS and chance.random() < (RUSH_CHANCE if rush else CALM_CHANCE):
        host = chance.choice(sorted(cloud.hosts))
        lifetimes.append(Lifetime(cloud.server(f"busy-{len(lifetimes)}", host=host), host))
    elif settled := [one for one in there if one.active < float("inf") and one is not hung]:
        lifetime = chance.choice(settled)
        lifetime.end = time.monotonic()
        cloud.admin.compute.delete_server(lifetime.server.id)


def is_rush_hour(elapsed):
    return elapsed % HOUR_SECONDS < RUSH_SECONDS


def note_active(cloud, lifetimes):
    for lifetime in lifetimes:
        if lifetime.active == lifetime.end == float("inf"):
            status = lifetime.server.show().status
            if status == "ACTIVE":
                lifetime.active = time.monotonic()
            elif status == "ERROR":
                # Nova has no host or gives no answer while the broker or libvirtd restarts.
                lifetime.end = time.monotonic()
                cloud.admin.compute.delete_server(lifetime.server.id)


def hang(cloud, lifetimes):
    lifetime = next(one for one in lifetimes if one.active < one.end == float("inf"))
    lifetime.server.signal(signal.SIGSTOP)
    lifetime.hung = (time.monotonic(), float("inf"))
    return lifetime


def restart_broker(cloud, lifetimes):
    cloud.rabbitmq.restart()


def restart_libvirtd(cloud, lifetimes):
    host = cloud.hosts["compute-2"]
    host.hypervisor.restart_daemon()
    return host.name, time.monotonic()


@pytest.mark.timeout(SECONDS + 900)
def test_every_server_has_its_samples_in_every_cycle(day, measured):
    missed, count = [], 0
    for name, record in day.records.items():
        for cycle in record.cycles:
            if is_near_restart(day, name, cycle):
                continue
            expected = {
                lifetime.server.id for lifetime in day.lifetimes if was_there(lifetime, name, cycle)
            }
            count += len(expected)
            if lost := expected - cycle.servers:
                missed.append((name, cycle.end, lost))
    active = [lifetime for lifetime in day.lifetimes if lifetime.active < float("inf")]
    measured("busy day", f"{len(active)} of {len(day.lifetimes)} servers, {count} samples expected")
    assert count > 0
    assert missed == []


def was_there(lifetime, host, cycle):
    """Return whether the server was ACTIVE and its QEMU ran for the whole cycle."""
    begin, end = lifetime.hung
    hung = begin < cycle.end and cycle.start < end
    return (
        lifetime.host == host
        and lifetime.active < cycle.start
        and cycle.end < lifetime.end
        and not hung
    )


def is_near_restart(day, host, cycle):
    restarted, when = day.restarted
    return host == restarted and abs(cycle.end - when) < RESTART_SECONDS


def most_at_a_time(lifetimes):
    """Return the largest number of servers that were ACTIVE at the same time."""
    changes = [(one.active, 1) for one in lifetimes if one.active < one.end]
    changes += [(one.end, -1) for one in lifetimes if one.active < one.end]
    numbers = itertools.accumulate(change for _, change in sorted(changes))
    return max(numbers, default=0)


def test_twelve_servers_are_active_at_a_time(day, measured):
    most = most_at_a_time(day.lifetimes)
    measured("busy day", f"up to {most} servers ACTIVE at a time")
    assert most == MOST_SERVERS


@pytest.mark.parametrize("host", ["compute-1", "compute-2"])
def test_agent_logs_only_broker_errors(cloud, day, host):
    errors = [line for line in cloud.hosts[host].agent.log_text().splitlines() if " ERROR " in line]
    others = [line for line in errors if not BROKER.search(line) and CACHE not in line]
    assert "\n".join(others) == ""


@pytest.mark.parametrize("host", ["compute-1", "compute-2"])
def test_agent_leaks_no_resources(day, host, measured):
    resources = day.records[host].resources
    begin, end = resources[WARM_UP_CYCLES], resources[-1]
    measured(f"busy day, {host}", f"{begin} at first, {end} at the end")
    assert end.threads <= begin.threads + 4
    assert end.descriptors <= begin.descriptors + 8
    assert end.memory <= begin.memory * 1.15
