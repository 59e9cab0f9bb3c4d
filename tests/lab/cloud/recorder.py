# SPDX-License-Identifier: Apache-2.0
"""What one host's agent reports in each cycle, and what the agent holds, over a long time."""

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
LOOK_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Cycle:
    """One cycle of the agent: when it was seen to have ended, and what it had.

    start: when the one before had ended; servers: uuids with a memory.resident.
    """

    start: float
    end: float
    servers: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Held:
    """Of all processes of an agent together; memory in MiB."""

    threads: int
    descriptors: int
    memory: float


class Recorder:
    """Records until it is left; a context manager. cycles, held: what was seen, in order.

    An agent takes down a pollster's metrics before it polls, so what is exported after
    a cycle's end is of that cycle.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.cycles: list[Cycle] = []
        self.held: list[Held] = []
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
        while not self._ended.wait(LOOK_SECONDS):
            if (count := agent.cycles(POLLSTER)) == seen:
                continue
            now = time.monotonic()
            exported = agent.metrics()
            # A cycle may have ended meanwhile. What it left counts for the next one.
            if agent.cycles(POLLSTER) == count:
                servers = frozenset(uuid for name, uuid in exported if name == METRIC)
                self.cycles.append(Cycle(before, now, servers))
                self.held.append(held(agent.pid))
            seen, before = count, now


def held(pid: int) -> Held:
    """What a process and its children hold."""
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
    return Held(threads, descriptors, memory)


def _children(pid: int) -> list[int]:
    """The processes that any thread of it has started."""
    found: list[int] = []
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text().split())
    return found
