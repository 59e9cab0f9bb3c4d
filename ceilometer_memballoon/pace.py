# SPDX-License-Identifier: Apache-2.0
"""How fast a host's guests answer, learnt from the reads so far. Pure."""

import collections
import statistics

#: The most domains that one call of libvirt's asks for, and the most of one read, which
#: can be two calls at once. A read that gets stuck loses the answers of all its domains,
#: so it must not be all of them.
MOST_IN_CALL = 16
MOST_DOMAINS = 2 * MOST_IN_CALL
#: Seconds that one read should take at most: on a slow host a read has fewer domains.
READ_SECONDS = 0.5
#: A read is late after this many times its usual length, and no earlier than this many
#: seconds.
LATE_FACTOR = 4
LATE_SECONDS = 0.25
#: A QEMU hangs if it has not answered for this many times the usual length, and no
#: earlier than this many seconds.
HUNG_FACTOR = 20
HUNG_SECONDS = 0.5
#: The same before anything was learnt: a slow host must not look like a hung one.
UNKNOWN_HUNG_SECONDS = 1.0
#: The same in multiples of the longest answer that came late, but came.
LATE_ANSWER_FACTOR = 3
#: How many reads are remembered. The median of them is what is usual, so that one guest
#: that hung for a while changes nothing.
REMEMBERED = 15


class Pace:
    """The usual length of a read, and what follows from it.

    group: how many domains the next read should ask for.
    """

    def __init__(self) -> None:
        self._lengths: collections.deque[float] = collections.deque(maxlen=REMEMBERED)
        self._late_answer = 0.0
        self.group = 1

    @property
    def usual(self) -> float | None:
        """Seconds that a read takes for each domain; None before the first read."""
        return statistics.median(self._lengths) if self._lengths else None

    @property
    def hung_after(self) -> float:
        """Seconds without an answer after which a QEMU counts as hung."""
        usual = self.usual
        shortest = UNKNOWN_HUNG_SECONDS if usual is None else HUNG_SECONDS
        return max(HUNG_FACTOR * (usual or 0), LATE_ANSWER_FACTOR * self._late_answer, shortest)

    def late_after(self, domains: int) -> float:
        """Seconds after which a read of this many domains is late."""
        return max(LATE_FACTOR * domains * (self.usual or 0), LATE_SECONDS)

    def begin_cycle(self) -> None:
        """Forget the late answers of the cycle before."""
        self._late_answer = 0.0

    def learn(self, seconds: float, domains: int) -> None:
        """Learn from a read of this many domains that took this long."""
        self._lengths.append(seconds / max(domains, 1))
        usual = self.usual or 0
        fitting = int(READ_SECONDS / usual) if usual > 0 else MOST_DOMAINS
        self.group = max(1, min(2 * self.group, fitting, MOST_DOMAINS))

    def note_late(self, seconds: float) -> None:
        """Note that a read was late and has returned after this long, within its cycle."""
        self._late_answer = max(self._late_answer, seconds)
        self.ask_one()

    def ask_one(self) -> None:
        """Ask for one domain at a time again, because a read was late or failed."""
        self.group = 1
