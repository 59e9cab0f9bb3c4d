# SPDX-License-Identifier: Apache-2.0
"""The agents on both hosts during a busy day."""

import contextlib
import dataclasses
import re
import time

import pytest

from ceilometer_memballoon.meters import METERS
from tests.cloud.busy_day import (
    MOST_SERVERS,
    SECONDS,
    Lifetime,
    delete_all,
    most_at_a_time,
    run_day,
)
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.cloud.recorder import Recorder

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
class Day:
    """All that happened.

    lifetimes: All servers. records, logs: By host; a log is that of the agent until the evening,
        when all servers are deleted. restarted: Host and time of the restart of libvirtd.
    """

    lifetimes: list[Lifetime]
    records: dict[str, Recorder]
    logs: dict[str, str]
    restarted: tuple[str, float]


@pytest.fixture(scope="module")
def day(cloud, tool_beside):
    with contextlib.ExitStack() as running:
        records = {}
        for name, host in cloud.hosts.items():
            # As in etc/ceilometer/polling.yaml for stock pollsters. If one server disappears
            # meanwhile, Ceilometer's own discovery fails as a whole.
            host.start_agent(
                interval=INTERVAL,
                meters=(*METERS, *STOCK),
                discoveries=("memballoon_instances",),
                settings="[memballoon]\nserve_stock_meters = true\n",
            )
            running.callback(host.start_agent)
            records[name] = running.enter_context(Recorder(host))
        lifetimes = []
        try:
            restarted = run_day(cloud, lifetimes)
            logs = {name: host.agent.log_text() for name, host in cloud.hosts.items()}
        finally:
            for lifetime in lifetimes:
                lifetime.end = min(lifetime.end, time.monotonic())
            delete_all(cloud, lifetimes)
        yield Day(lifetimes, records, logs, restarted)


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


def test_twelve_servers_are_active_at_a_time(day, measured):
    most = most_at_a_time(day.lifetimes)
    measured("busy day", f"up to {most} servers ACTIVE at a time")
    assert most == MOST_SERVERS


@pytest.mark.parametrize("host", ["compute-1", "compute-2"])
def test_agent_logs_only_broker_errors(day, host):
    errors = [line for line in day.logs[host].splitlines() if " ERROR " in line]
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
