# SPDX-License-Identifier: Apache-2.0
"""What the agents of the cloud say of a server."""

import time

from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.waiting import wait_long_for

#: A cycle, and as many again on a busy machine.
SECONDS = 90
LOOK_SECONDS = 0.3


def meters(server, host=None):
    """The metrics that the host's agent exports of the server now, by name."""
    agent = (host or server.host).agent
    return {name: value for (name, uuid), value in agent.metrics().items() if uuid == server.id}


def meters_of_a_cycle(server, host):
    """The names of all metrics that the host's agent exports of the server in a whole cycle.

    Each is gone for a moment in every cycle, so one look does not find all.
    """
    found = set()
    end = time.monotonic() + 1.5 * INTERVAL
    while time.monotonic() < end:
        found |= set(meters(server, host))
        time.sleep(LOOK_SECONDS)
    return found


def wait_for_usage(server, host=None, *, fresh=False):
    """The server's memory.usage in MiB, once its host's agent reports it.

    fresh: by a cycle that has not begun yet; else what was exported before will do.
    """
    host = host or server.host
    if fresh:
        host.agent.wait_for_cycles(1, SECONDS)
    return wait_long_for(
        lambda: host.agent.usage(server.id), SECONDS, f"memory.usage of {server.name}",
        lambda: host.agent.log_text()[-3000:],
    )  # fmt: skip


def wait_for_silence(server, *, resident, host=None):
    """Until the server has no memory.usage, and memory.resident or not, as told."""
    host = host or server.host

    def silent():
        found = host.agent.metrics()
        # All metrics are gone for a moment in each cycle; a look between two tells nothing.
        usage, rss = (
            ((f"ceilometer_memory_{name}", server.id) in found) for name in ("usage", "resident")
        )
        return not usage and rss == resident

    wait_long_for(
        silent, SECONDS, f"no memory.usage of {server.name}", lambda: str(meters(server, host))
    )


def complaints(server, host=None):
    """What the plugin has logged above INFO about the server."""
    agent = (host or server.host).agent
    return [
        line
        for line in agent.own_lines()
        if server.id in line and not line.startswith(("INFO", "DEBUG"))
    ]
