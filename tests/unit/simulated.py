# SPDX-License-Identifier: Apache-2.0
"""A simulated host with its reader. A test runs its cycles one after the other."""

from ceilometer_memballoon.errors import UnreachableError
from ceilometer_memballoon.reader import Reader
from ceilometer_memballoon.record import Outcome
from tests.unit.fake_host import Clock, FakeHost, FakeProcesses, Guest

TIMEOUT = 5.0
#: Seconds from one cycle to the next.
INTERVAL = 10


class Node:
    """A host, its reader and a clock. cycle() reads as one polling cycle does."""

    def __init__(self, *guests, timeout=TIMEOUT, visible=True, most_stuck=4):
        self.clock = Clock()
        self.guests = guests
        self.host = FakeHost(self.clock, *guests, most_stuck=most_stuck)
        self.processes = FakeProcesses(self.host, visible=visible)
        self.reader = Reader(
            self.host, timeout, most_stuck, self.processes, self.clock, self.clock.sleep
        )
        self.took = 0.0

    def cycle(self):
        """Return the outcomes of one cycle by UUID."""
        begun = self.clock()
        try:
            records = self.reader.read().records
        finally:
            self.took = self.clock() - begun
            self.clock.now = begun + INTERVAL
        return {uuid: record.outcome for uuid, record in records.items()}

    def read(self):
        return {uuid for uuid, outcome in self.cycle().items() if outcome is Outcome.READ}

    def hang(self, *guests, until=None):
        for guest in guests:
            guest.hang(self.clock(), *([until] if until is not None else []))

    def recover(self, *guests):
        for guest in guests:
            guest.recover(self.clock() - 1)


def guests(count, **kind):
    return [Guest(f"g{number:03d}", **kind) for number in range(count)]


def uuids(some):
    return {guest.uuid for guest in some}


def only(outcome, outcomes):
    return {uuid for uuid, found in outcomes.items() if found is outcome}


def die_at_read(node, number):
    """Stop libvirtd when the cycle starts its read of this number."""
    start, begun = node.host.start_read, []

    def start_read(*arguments):
        begun.append(1)
        if len(begun) == number:
            node.host.broken = UnreachableError("gone")
        return start(*arguments)

    node.host.start_read = start_read
