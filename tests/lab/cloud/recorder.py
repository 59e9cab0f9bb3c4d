# SPDX-License-Identifier: Apache-2.0
"""Record what one host's agent reports in each cycle, and its resources, over a long time."""

import contextlib
import dataclasses
import os
import pathlib
import threading
import time
from typing import Self

from tests.lab.cloud.host import Host

METRIC = "ceilometer_memory_resident"
POLLSTER = "memory_resident"
CHECK_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Cycle:
    """One cycle of the agent: when its end was seen, and what it reported.

    start: when the previous cycle had ended. servers: UUIDs with a memory.resident.
    """

    start: float
    end: float
    servers: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Resources:
    """Resources of all processes of an agent together. Memory is in MiB."""

    threads: int
    descriptors: int
    memory: float


class Recorder:
    """Records while its context is active. cycles, resources: what was seen, in order.

    An agent removes a pollster's metrics before it polls. So the metrics after the end of a
    cycle belong to that cycle.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.cycles: list[Cycle] = []
        self.resources: list[Resources] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join(timeout=60)

    def _record(self) -> None:
        agent = self.host.agent
        assert agent is not None
        seen, before = agent.cycles(POLLSTER), time.monotonic()
        while not self._ended.wait(CHECK_SECONDS):
            if (count := agent.cycles(POLLSTER)) == seen:
                continue
            now = time.monotonic()
            exported = agent.metrics()
            # A cycle may have ended in the meantime. Its metrics belong to the next entry.
            if agent.cycles(POLLSTER) == count:
                servers = frozenset(uuid for name, uuid in exported if name == METRIC)
                self.cycles.append(Cycle(before, now, servers))
                self.resources.append(resources(agent.pid))
            seen, before = count, now


def resources(pid: int) -> Resources:
    """Return the resources of a process and its children."""
    threads = descriptors = 0
    memory = 0.0
    for one in [pid, *_children(pid)]:
        folder = pathlib.Path(f"/proc/{one}")
        try:
            threads += len(os.listdir(folder / "task"))
            descriptors += len(os.listdir(folder / "fd"))
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:
            continue
        memory += pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Resources(threads, descriptors, memory)


def _children(pid: int) -> list[int]:
    """Return the processes that any thread of the process has started."""
    found: list[int] = []
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text().split())
    return found
