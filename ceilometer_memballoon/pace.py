# SPDX-License-Identifier: Apache-2.0
"""How fast a host's guests answer, learned from previous reads. Pure."""

import collections
import statistics

#: The largest number of domains in one call of libvirt, and in one read, which can be two calls at
#: once. A read that gets stuck loses the answers of all its domains, so one read must not ask for
#: all domains.
MOST_IN_CALL = 16
MOST_DOMAINS = 2 * MOST_IN_CALL
#: The longest time in seconds that one read should take. On a slow host a read has fewer domains.
READ_SECONDS = 0.5
#: A read is late after this many times its usual length, and not before this many seconds.
LATE_FACTOR = 4
LATE_SECONDS = 0.25
#: A QEMU process counts as hung after this many times the usual length without an answer, and not
#: before this many seconds.
HUNG_FACTOR = 20
HUNG_SECONDS = 0.5
#: Before the first read a QEMU process counts as hung after this many seconds, so that a slow
#: host does not look like a hung one.
UNKNOWN_HUNG_SECONDS = 1.0
#: A QEMU process does not count as hung before this many times the longest late answer that
#: still arrived.
LATE_ANSWER_FACTOR = 3
#: The number of remembered reads. Their median is the usual length, so that one guest that hung for
#: a while changes nothing.
REMEMBERED = 15


class Pace:
    """The usual length of a read, and the limits that follow from it.

    group: how many domains the next read should ask for.
    """

    def __init__(self) -> None:
        self._lengths: collections.deque[float] = collections.deque(maxlen=REMEMBERED)
        self._late_answer = 0.0
        self.group = 1

    @property
    def usual(self) -> float | None:
        """The usual seconds of a read for each domain; None before the first read."""
        return statistics.median(self._lengths) if self._lengths else None

    @property
    def hung_after(self) -> float:
        """Seconds without an answer after which a QEMU counts as hung."""
        usual = self.usual
        shortest = UNKNOWN_HUNG_SECONDS if usual is None else HUNG_SECONDS
        return max(HUNG_FACTOR * (usual or 0), LATE_ANSWER_FACTOR * self._late_answer, shortest)

    def late_after(self, domains: int) -> float:
        """Return the seconds after which a read of this many domains is late."""
        return max(LATE_FACTOR * domains * (self.usual or 0), LATE_SECONDS)

    def begin_cycle(self) -> None:
        """Forget the late answers of the previous cycle."""
        self._late_answer = 0.0

    def learn(self, seconds: float, domains: int) -> None:
        """Learn from a read of this many domains that took this many seconds."""
        self._lengths.append(seconds / max(domains, 1))
        usual = self.usual or 0
        fitting = int(READ_SECONDS / usual) if usual > 0 else MOST_DOMAINS
        self.group = max(1, min(2 * self.group, fitting, MOST_DOMAINS))

    def note_late(self, seconds: float) -> None:
        """Note a late read that returned within its cycle, after this many seconds."""
        self._late_answer = max(self._late_answer, seconds)
        self.ask_one()

    def ask_one(self) -> None:
        """Reset the group to one domain, because a read was late or failed."""
        self.group = 1
