# SPDX-License-Identifier: Apache-2.0
"""The contestants, and the measurement of one cycle of each."""

import contextlib
import dataclasses
import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import libvirt

from ceilometer_memballoon.meters import METERS
from tests.lab.hypervisor import Hypervisor
from tests.lab.rpc import counted
from tests.lab.stepped import SteppedAgent

PLUGIN, ALL_METERS, STOCK = "plugin", "plugin, all meters", "stock"
FLOOR, C_FLOOR = "floor, Python", "floor, C"
#: An agent with a stock pollster that does not ask libvirt. It costs only the discovery.
DISCOVERY = "discovery alone"
METERS_OF = {
    PLUGIN: ("memory_usage", "memory_resident"),
    ALL_METERS: tuple(METERS),
    STOCK: ("memory.usage", "memory.resident"),
    DISCOVERY: ("disk.ephemeral.size",),
}
#: Commands of one virsh process, so that its start hardly counts.
VIRSH_TIMES = 20
CALL_SECONDS = 120
FLOOR_FLAGS = (
    libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
    | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
)


@dataclasses.dataclass(frozen=True)
class Lap:
    """One cycle in seconds: wall time, and CPU time of the agent and of libvirtd."""

    wall: float
    agent: float
    libvirtd: float
    whole: float = 0.0  #: wall time, including discovery and sending
    whole_agent: float = 0.0  #: the agent's CPU time, including discovery and sending


@dataclasses.dataclass(frozen=True)
class Cost:
    """Statistics of one contestant's laps in seconds.

    They are medians, and the quartiles of the wall times.
    """

    wall: float
    low: float
    high: float
    agent: float
    libvirtd: float
    whole: float
    whole_agent: float


def cost(laps: list[Lap]) -> Cost:
    """Summarise laps. libvirtd's time is a mean, because the kernel counts it in steps of 10 ms."""
    walls = [lap.wall for lap in laps]
    low, median, high = statistics.quantiles(walls, n=4)
    return Cost(
        wall=median,
        low=low,
        high=high,
        agent=statistics.median(lap.agent for lap in laps),
        libvirtd=statistics.mean(lap.libvirtd for lap in laps),
        whole=statistics.median(lap.whole for lap in laps),
        whole_agent=statistics.median(lap.whole_agent for lap in laps),
    )


@contextlib.contextmanager
def contestants(
    hypervisor: Hypervisor, names: tuple[str, ...] = tuple(METERS_OF)
) -> Iterator[dict[str, Callable[[], Lap]]]:
    """Yield a function for each contestant that runs one cycle of it, after a warm-up."""
    with contextlib.ExitStack() as running:
        laps = {
            name: _lap_of(
                hypervisor, running.enter_context(SteppedAgent(hypervisor, meters=METERS_OF[name]))
            )
            for name in names
        }
        laps[FLOOR] = _floor_lap(hypervisor)
        laps[C_FLOOR] = lambda: _virsh_lap(hypervisor)
        for lap in laps.values():
            lap()
            lap()
        yield laps


def measure(laps: dict[str, Callable[[], Lap]], rounds: int) -> dict[str, Cost]:
    """Run ``rounds`` laps of each contestant in turns, so that a disturbance affects all."""
    found: dict[str, list[Lap]] = {name: [] for name in laps}
    for _ in range(rounds):
        for name, lap in laps.items():
            found[name].append(lap())
    return {name: cost(laps) for name, laps in found.items()}


def measure_pair(laps: dict[str, Callable[[], Lap]], rounds: int) -> dict[str, list[float]]:
    """Return wall times in seconds of ``rounds`` further laps of the plugin and the floor."""
    found: dict[str, list[float]] = {PLUGIN: [], FLOOR: []}
    for _ in range(rounds):
        for name, walls in found.items():
            walls.append(laps[name]().wall)
    return found


def line(curve: dict[int, dict[str, Cost]], name: str) -> tuple[float, float]:
    """Return slope and intercept in seconds of a contestant's wall time by number of guests."""
    return line_through({count: costs[name].wall for count, costs in curve.items()})


def line_through(walls: dict[int, float]) -> tuple[float, float]:
    """Return slope and intercept of wall times by number of guests.

    A single wall time gives a line through zero.
    """
    if len(walls) == 1:
        ((count, wall),) = walls.items()
        return wall / count, 0.0
    slope, intercept = statistics.linear_regression(list(walls), list(walls.values()))
    return slope, max(intercept, 0.0)


def calls(hypervisor: Hypervisor, meters: tuple[str, ...]) -> int:
    """Return the number of calls to libvirtd in one whole cycle of these meters, with discovery."""
    with (
        counted(hypervisor) as counter,
        SteppedAgent(hypervisor, meters=meters, uri=counter.uri) as agent,
    ):
        # The first cycle connects and reads each guest's XML.
        agent.cycle()
        agent.cycle()
        counter.calls.clear()
        agent.cycle()
        return counter.calls.total()


def _lap_of(hypervisor: Hypervisor, agent: SteppedAgent) -> Callable[[], Lap]:
    def lap() -> Lap:
        before = _processor_seconds(hypervisor.daemon_pid)
        cycle = agent.cycle()
        used = _processor_seconds(hypervisor.daemon_pid) - before
        return Lap(cycle.polling_seconds, cycle.polling_cpu, used, cycle.seconds, cycle.cpu)

    return lap


def _floor_lap(hypervisor: Hypervisor) -> Callable[[], Lap]:
    connection = libvirt.openReadOnly(hypervisor.uri)

    def lap() -> Lap:
        before = _processor_seconds(hypervisor.daemon_pid)
        begin, cpu = time.monotonic(), time.process_time()
        connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_BALLOON, FLOOR_FLAGS)
        wall, agent = time.monotonic() - begin, time.process_time() - cpu
        return Lap(wall, agent, _processor_seconds(hypervisor.daemon_pid) - before, wall)

    return lap


def _virsh_lap(hypervisor: Hypervisor) -> Lap:
    """Return the mean of many reads of one virsh, minus the time of a virsh that reads nothing."""
    before = _processor_seconds(hypervisor.daemon_pid)
    many = _virsh(hypervisor, "; ".join(["domstats --balloon --nowait"] * VIRSH_TIMES))
    used = _processor_seconds(hypervisor.daemon_pid) - before
    none = _virsh(hypervisor, "uri")
    wall, agent = ((m - n) / VIRSH_TIMES for m, n in zip(many, none, strict=True))
    return Lap(wall, agent, used / VIRSH_TIMES, wall)


def _virsh(hypervisor: Hypervisor, words: str) -> tuple[float, float]:
    """Return wall and CPU seconds of a virsh."""
    begin, cpu = time.monotonic(), _children_seconds()
    subprocess.run(
        ["virsh", "--readonly", "--connect", hypervisor.uri, words],
        check=True, stdout=subprocess.DEVNULL, timeout=CALL_SECONDS,
    )  # fmt: skip
    return time.monotonic() - begin, _children_seconds() - cpu


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _processor_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds, in steps of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
