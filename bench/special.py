# SPDX-License-Identifier: Apache-2.0
"""Measure special cycles: a hung guest, guests to be enabled, threads."""

from bench.contestants import ALL_METERS, METERS_OF, PLUGIN, Cost, Lap, cost
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor
from tests.lab.stepped import Cycle, SteppedAgent

LAPS = 5
#: The default of the option libvirt_timeout, which the first cycle with a hung guest waits for.
TIMEOUT = 5.0


def special_laps(hypervisor: Hypervisor, guests: list[Guest]) -> dict[str, Cost]:
    """Return the cost of each special cycle by its name. Guests are restored afterwards."""
    return {
        "first cycle with one guest hung": _hung(hypervisor, guests[0], first=True),
        "later cycles with one guest hung": _hung(hypervisor, guests[0], first=False),
        "cycle that enables every guest": _enabling(hypervisor, guests),
        "all meters, 1 thread": _threads(hypervisor, 1),
        "all meters, a thread each": _threads(hypervisor, 0),
    }


def _hung(hypervisor: Hypervisor, guest: Guest, *, first: bool) -> Cost:
    with SteppedAgent(hypervisor, meters=METERS_OF[PLUGIN], timeout=TIMEOUT) as agent:
        agent.cycle()
        guest.hang()
        try:
            laps = [_polling(agent.cycle())]
            if not first:
                laps = [_polling(agent.cycle()) for _ in range(LAPS)]
        finally:
            guest.unhang()
    return _cost(laps)


def _enabling(hypervisor: Hypervisor, guests: list[Guest]) -> Cost:
    laps = []
    for _ in range(LAPS):
        for guest in guests:
            guest.domain.setMemoryStatsPeriod(0, 1)
        with SteppedAgent(hypervisor, meters=METERS_OF[PLUGIN]) as agent:
            laps.append(_polling(agent.cycle()))
    return _cost(laps)


def _threads(hypervisor: Hypervisor, threads: int) -> Cost:
    options = f"threads_to_process_pollsters = {threads}"
    with SteppedAgent(hypervisor, meters=METERS_OF[ALL_METERS], polling_options=options) as agent:
        agent.cycle()
        return _cost([_whole(agent.cycle()) for _ in range(LAPS)])


def _polling(cycle: Cycle) -> Lap:
    return Lap(cycle.polling_seconds, cycle.polling_cpu, 0.0, cycle.seconds)


def _whole(cycle: Cycle) -> Lap:
    # Parallel pollsters wait for each other, so only the whole cycle can be measured.
    return Lap(cycle.seconds, cycle.cpu, 0.0, cycle.seconds)


def _cost(laps: list[Lap]) -> Cost:
    # Quantiles need at least two laps.
    return cost(laps if len(laps) > 1 else laps * 2)
