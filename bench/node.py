# SPDX-License-Identifier: Apache-2.0
"""The benchmark of a whole compute node: a real polling.yaml, discovery and sending.

``python -m bench.node [--guests 1,5,10] [--rounds N] [--into FOLDER]``. Each guest has a disk
and a network interface. The contestants run one polling cycle each in turns.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
import time
from collections.abc import Iterator

import yaml

from bench import node_report
from ceilometer_memballoon.discovery import NAME
from tests.lab.agent import free_port
from tests.lab.devices import NetworkedHypervisor, disk, interface, make_raw
from tests.lab.guest import Guest
from tests.lab.rpc import counted
from tests.lab.stepped import SteppedAgent

GUESTS = (1, 5, 10, 20, 40)
ROUNDS = 15
DISK_BYTES = 32 << 20
#: Cycles before the measurement. In these the plugin learns the groups and reads each domain's XML.
WARM_UP = 3

#: The meters that Ceilometer 27's own polling.yaml selects on a compute node, without memory.usage.
USUAL = (
    "power.state", "cpu", "memory.available",
    "network.incoming.bytes", "network.incoming.packets",
    "network.outgoing.bytes", "network.outgoing.packets",
    "disk.device.read.bytes", "disk.device.read.requests",
    "disk.device.write.bytes", "disk.device.write.requests",
)  # fmt: skip
OURS = ("memory_usage", "memory_resident")


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A configuration of the agent. served: serve_stock_meters, with the plugin's discovery."""

    name: str
    meters: tuple[str, ...]
    served: bool = False


CONTESTANTS = (
    Contestant("all stock", (*USUAL, "memory.usage", "memory.resident")),
    Contestant("stock and ours", (*USUAL, *OURS)),
    Contestant("all served", (*USUAL, *OURS), served=True),
)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Medians of one contestant's cycles, in seconds, and the calls of one cycle."""

    wall: float
    agent: float
    libvirtd: float
    calls: int


def main() -> int:
    """Boot guests, measure and report. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.node", description=__doc__)
    parser.add_argument(
        "--guests", type=lambda text: tuple(map(int, text.split(","))), default=GUESTS,
        help="numbers of guests, ascending (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="cycles of each contestant")
    parser.add_argument("--into", type=pathlib.Path, default=pathlib.Path("bench-results"))
    arguments = parser.parse_args()
    curve: dict[int, dict[str, Cost]] = {}
    with NetworkedHypervisor(arguments.guests[-1]) as hypervisor:
        guests: list[Guest] = []
        for count in arguments.guests:
            boot(hypervisor, guests, count)
            curve[count] = measure(hypervisor, arguments.rounds)
            print(node_report.table({count: curve[count]}), flush=True)
    arguments.into.mkdir(parents=True, exist_ok=True)
    (arguments.into / "node.txt").write_text(node_report.table(curve))
    node_report.plot(curve, arguments.into)
    print(node_report.table(curve))
    return 0


def boot(hypervisor: NetworkedHypervisor, guests: list[Guest], count: int) -> None:
    """Boot guests until there are ``count``."""
    while len(guests) < count:
        # Boot two at a time, because more at once take longer in total.
        begun = [
            _guest(hypervisor, len(guests) + place) for place in range(min(2, count - len(guests)))
        ]
        guests += [guest.wait_until_up() for guest in begun]


def measure(hypervisor: NetworkedHypervisor, rounds: int) -> dict[str, Cost]:
    """Run ``rounds`` cycles of each contestant, in turns."""
    laps: dict[str, list[tuple[float, float, float]]] = {one.name: [] for one in CONTESTANTS}
    with contextlib.ExitStack() as running:
        agents = {
            one.name: running.enter_context(warm(hypervisor, one, hypervisor.uri))
            for one in CONTESTANTS
        }
        for _ in range(rounds):
            for name, agent in agents.items():
                before = processor_seconds(hypervisor.daemon_pid)
                cycle = agent.cycle()
                used = processor_seconds(hypervisor.daemon_pid) - before
                laps[name].append((cycle.seconds, cycle.cpu, used))
    return {
        one.name: Cost(
            *(statistics.median(values) for values in zip(*laps[one.name], strict=True)),
            calls=calls(hypervisor, one),
        )
        for one in CONTESTANTS
    }


def calls(hypervisor: NetworkedHypervisor, contestant: Contestant) -> int:
    """Return the number of calls to libvirtd in one whole cycle, with discovery."""
    with counted(hypervisor) as counter, warm(hypervisor, contestant, counter.uri) as agent:
        counter.calls.clear()
        agent.cycle()
        return counter.calls.total()


@contextlib.contextmanager
def warm(
    hypervisor: NetworkedHypervisor, contestant: Contestant, uri: str
) -> Iterator[SteppedAgent]:
    """Yield an agent of this configuration that has run some cycles."""
    source = {"name": "node", "interval": 60, "meters": list(contestant.meters)}
    if contestant.served:
        source["discovery"] = [NAME]
    polling = hypervisor.folder / f"{contestant.name}.yaml"
    polling.write_text(yaml.safe_dump({"sources": [source]}))
    options = f"serve_stock_meters = {contestant.served}"
    with SteppedAgent(
        hypervisor, polling=polling, uri=uri, port=free_port(), memballoon_options=options
    ) as agent:
        for _ in range(WARM_UP):
            agent.cycle()
        yield agent


def processor_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds, from its clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def _guest(hypervisor: NetworkedHypervisor, number: int) -> Guest:
    file = make_raw(hypervisor, f"disk-{number}.raw", DISK_BYTES)
    return Guest(
        hypervisor, f"instance-{number:08x}", devices=disk(file, "vda") + interface(number)
    )


if __name__ == "__main__":
    sys.exit(main())
