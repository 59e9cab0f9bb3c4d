# SPDX-License-Identifier: Apache-2.0
"""Servers are created and deleted on both hosts while one service after another fails."""

import dataclasses
import itertools
import os
import random
import signal
import time

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


@dataclasses.dataclass
class Lifetime:
    """A server, the times from which it was ACTIVE, and when its deletion was requested."""

    server: Server
    host: str
    active: float = float("inf")
    end: float = float("inf")
    hung: tuple[float, float] = (float("inf"), float("inf"))


def run_day(cloud, lifetimes):
    """Create and delete servers, with faults in between.

    Return host and time of the restart of libvirtd.
    """
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


def create_or_delete(cloud, lifetimes, chance, hung, *, rush):
    """Create or delete one server. Do nothing if there are too many or too few."""
    there = [lifetime for lifetime in lifetimes if lifetime.end == float("inf")]
    active = [one for one in there if one.active < float("inf")]
    # Each host keeps a server. If our discovery finds none, Ceilometer asks its own one, which logs
    # a traceback if the last server disappears meanwhile.
    hosts = [one.host for one in active]
    settled = [one for one in active if one is not hung and hosts.count(one.host) > 1]
    if chance.random() < (RUSH_CHANCE if rush else CALM_CHANCE):
        if len(there) < MOST_SERVERS:
            host = chance.choice(sorted(cloud.hosts))
            lifetimes.append(Lifetime(cloud.server(f"busy-{len(lifetimes)}", host=host), host))
    elif settled:
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


def delete_all(cloud, lifetimes):
    """Delete all servers at the same time."""
    for lifetime in lifetimes:
        cloud.admin.compute.delete_server(lifetime.server.id, ignore_missing=True)
    for lifetime in lifetimes:
        lifetime.server.delete()


def most_at_a_time(lifetimes):
    """Return the largest number of servers that were ACTIVE at the same time."""
    changes = [(one.active, 1) for one in lifetimes if one.active < one.end]
    changes += [(one.end, -1) for one in lifetimes if one.active < one.end]
    numbers = itertools.accumulate(change for _, change in sorted(changes))
    return max(numbers, default=0)
