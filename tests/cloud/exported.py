# SPDX-License-Identifier: Apache-2.0
"""What the cloud's agents report about a server."""

import time

from tests.lab.waiting import wait_long_for

#: Seconds in which a cycle ends, even on a busy machine.
SECONDS = 90
CHECK_SECONDS = 0.3


def meters(server, host=None):
    """Return the server's metrics that the host's agent exports now: values by name."""
    agent = (host or server.host).agent
    return {name: value for (name, uuid), value in agent.metrics().items() if uuid == server.id}


def meters_of_a_cycle(server, host):
    """Return the names of all metrics that the host's agent exports for the server in one cycle.

    The exporter removes each metric for a moment in every cycle, so one request does not find
    all.
    """
    found = set()
    end = time.monotonic() + 1.5 * host.agent.interval
    while time.monotonic() < end:
        found |= set(meters(server, host))
        time.sleep(CHECK_SECONDS)
    return found


def wait_for_usage(server, host=None, *, fresh=False):
    """Wait until the host's agent reports the server, and return its memory.usage in MiB.

    fresh: accept only the value of a cycle that has not started yet.
    """
    host = host or server.host
    if fresh:
        host.agent.wait_for_cycles(1, SECONDS)
    return wait_long_for(
        lambda: host.agent.usage(server.id), SECONDS, f"memory.usage of {server.name}",
        lambda: host.agent.log_text()[-3000:],
    )  # fmt: skip


def wait_for_silence(server, *, resident, host=None):
    """Wait until the server has no memory.usage.

    resident: whether it has memory.resident then.
    """
    host = host or server.host

    def silent():
        found = host.agent.metrics()
        # The exporter removes all metrics for a moment in each cycle, so one request proves
        # nothing.
        usage, rss = (
            ((f"ceilometer_memory_{name}", server.id) in found) for name in ("usage", "resident")
        )
        return not usage and rss == resident

    wait_long_for(
        silent, SECONDS, f"no memory.usage of {server.name}", lambda: str(meters(server, host))
    )


def warnings_about(server, host=None):
    """Return the plugin's log lines above INFO about the server."""
    agent = (host or server.host).agent
    return [
        line
        for line in agent.own_lines()
        if server.id in line and not line.startswith(("INFO", "DEBUG"))
    ]
