# SPDX-License-Identifier: Apache-2.0
"""Many cycles of the real agent while guests come, go, hang and return at random.

SOAK_CYCLES and SOAK_SEED set the length and the sequence. 'tox -e soak' runs the long form.
"""

import os
import random

import pytest

from tests.lab.guest import Guest
from tests.lab.stepped import SteppedAgent

CYCLES = int(os.environ.get("SOAK_CYCLES", "40"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
GUESTS = 4
WARM_UP = 20
#: The most guests that hang at once. It is below the limit of stuck calls.
MOST_HUNG = 2
DEADLINE = 2.0
#: Factor by which the agent's memory may grow after warm-up, because Python's allocator keeps
#: memory.
GROWTH = 1.1


class Fleet:
    """Guests to which random faults happen. settled: those that every cycle must report."""

    def __init__(self, hypervisor, chance):
        self.hypervisor = hypervisor
        self.chance = chance
        self.booted = 0
        self.guests = [self._boot() for _ in range(GUESTS)]
        self.hung = set()
        self.settled = set()
        self.settling = set(self.guests)

    def apply_random_fault(self):
        """Apply one random fault to one guest, or none."""
        # A guest has one cycle to return. It must be there from the second cycle on.
        self.settled |= self.settling
        self.settling = set()
        guest = self.chance.choice(self.guests)
        self.chance.choices(
            [self._nothing, self._hang, self._unhang, self._replace, self._restart_libvirtd],
            weights=[69, 10, 17, 3, 1],
        )[0](guest)

    def unhang_all(self):
        """Let all guests run."""
        for guest in list(self.hung):
            self._unhang(guest)

    def destroy(self):
        for guest in self.guests:
            guest.destroy()

    def _boot(self):
        self.booted += 1
        period = self.chance.choice([None, 2])
        return Guest(self.hypervisor, f"instance-{self.booted}", period=period).wait_until_up()

    def _nothing(self, guest):
        pass

    def _hang(self, guest):
        if len(self.hung) < MOST_HUNG and guest not in self.hung:
            guest.hang()
            self.hung.add(guest)
            self.settled.discard(guest)

    def _unhang(self, guest):
        if guest in self.hung:
            guest.unhang()
            self.hung.discard(guest)
            self.settling.add(guest)

    def _replace(self, guest):
        self._unhang(guest)
        guest.destroy()
        self.guests.remove(guest)
        self.settled.discard(guest)
        self.settling.discard(guest)
        self.guests.append(self._boot())
        self.settling.add(self.guests[-1])

    def _restart_libvirtd(self, guest):
        # libvirtd does not end while a hung guest keeps it waiting.
        if not self.hung:
            self.hypervisor.restart_daemon()


@pytest.mark.timeout(240 + CYCLES)
def test_agent_leaks_nothing_over_many_cycles(hypervisor, measured):
    fleet = Fleet(hypervisor, random.Random(SEED))
    missed = []
    try:
        with SteppedAgent(hypervisor, timeout=DEADLINE, period=2) as agent:
            warm = [agent.cycle() for _ in range(WARM_UP)][-1]
            for number in range(CYCLES):
                fleet.apply_random_fault()
                found = agent.cycle().uuids()
                missed += [(number, g.name) for g in fleet.settled if g.uuid not in found]
            fleet.unhang_all()
            end = [agent.cycle() for _ in range(WARM_UP)][-1]
    finally:
        fleet.destroy()
    measured(
        f"soak, {CYCLES} cycles, {fleet.booted} guests booted",
        f"threads {warm.threads} -> {end.threads}, descriptors {warm.descriptors} -> "
        f"{end.descriptors}, memory {warm.memory / 1024:.1f} -> {end.memory / 1024:.1f} MiB",
    )
    assert missed == []
    assert (end.threads, end.descriptors) == (warm.threads, warm.descriptors)
    assert end.memory < GROWTH * warm.memory
