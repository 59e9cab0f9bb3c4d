# SPDX-License-Identifier: Apache-2.0
"""One pass over all guests of a host, which reads them in groups."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable

from ceilometer_memballoon.cycle_clock import CycleClock
from ceilometer_memballoon.errors import TooManyStuckCallsError
from ceilometer_memballoon.findings import Findings
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.late_reads import LateReads
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.pending_read import Read
from ceilometer_memballoon.record import Boot, Record
from ceilometer_memballoon.trouble import Trouble

#: Seconds before a busy domain is read again. Most jobs last for milliseconds.
BUSY_PAUSES = (0.005, 0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05)


@dataclasses.dataclass
class Cycle:
    """One pass over the guests of a host.

    pace, trouble: What the reader remembers from one pass to the next.
    groups: VIR_DOMAIN_STATS_* flags.
    findings: The records so far.
    late_reads: The late reads, which continue while other reads run.
    """

    host: Host
    pace: Pace
    trouble: Trouble
    groups: int
    clock: CycleClock
    findings: Findings
    late_reads: LateReads
    pause: Callable[[float], None] = time.sleep

    def examine(self, records: Iterable[Record] | None = None) -> None:
        """Find and mark the domains that hang. By default all domains are examined.

        Raises NoAnswerError.
        """
        suspects = self.findings.records if records is None else list(records)
        self.trouble.examine(suspects, self.pace.hung_after, self.clock.daemon_seconds)
        if self.trouble.hung:
            self.trouble.begin(self.clock.taken)
        self.findings.mark_hung(self.trouble.hung)

    def read(self, records: Iterable[Record]) -> None:
        """Read these domains in turn, as far as time and stuck calls allow.

        Domains that have waited longest come first. Raises NoAnswerError.
        """
        todo = self._in_order(records)
        while todo and self.clock.seconds_left > 0:
            if freed := self.late_reads.take_earlier():
                todo = self._in_order({r.boot: r for r in todo + freed}.values())
            if not self.trouble.may_ask(todo[0]):
                todo = todo[1:]
                continue
            group = self._next_group(todo)
            todo = todo[len(group) :]
            try:
                read = self.host.start_read(group, self.groups, self.clock.daemon_seconds)
            except TooManyStuckCallsError:
                return
            if self._is_in_time(read):
                todo = self.findings.keep(read) + todo
            elif self.clock.seconds_left > 0:
                todo = self._in_order(todo + self._park(read))
            else:
                # The end of the pass does not mean that a QEMU process hangs.
                self.trouble.set_aside(read)

    def read_busy_again(self, known: set[Boot]) -> set[Boot]:
        """Read busy domains again until they are free. Return those that stay busy.

        Domains that a read of an earlier pass asks are read again, too.
        known: boots that were busy for the whole previous cycle. Raises NoAnswerError.
        """
        for seconds in BUSY_PAUSES:
            held = self.late_reads.held_by_earlier_reads()
            again = [r for r in self.findings.busy if r.boot not in known] + held
            if not again or self.clock.seconds_left <= seconds:
                break
            self.pause(seconds)
            if held:
                self.examine(held)
            self.read(again)
        busy = self.findings.busy
        if busy:
            # Another client's call may be stuck at these domains.
            self.examine(busy)
        return {record.boot for record in busy}

    def read_left_out(self) -> None:
        """Wait for late reads, and read the domains that were left out because of them.

        Raises NoAnswerError.
        """
        while self.late_reads.wait():
            self.read(self.findings.unasked)

    def _is_in_time(self, read: Read) -> bool:
        """Wait for a read that has just started, until it is late or the pass is over."""
        self.findings.begun[read] = self.clock.monotonic()
        late = self.pace.late_after(len(read.records))
        return read.wait(min(late, self.clock.seconds_left))

    def _next_group(self, todo: list[Record]) -> list[Record]:
        """Return the next domains, as many as the pace allows.

        Proven and unproven guests are not asked together.
        """
        proven = self.trouble.is_proven
        first = proven(todo[0])
        group = itertools.takewhile(lambda record: proven(record) is first, todo)
        return list(itertools.islice(group, self.pace.group))

    def _in_order(self, records: Iterable[Record]) -> list[Record]:
        wanted = [
            record
            for record in records
            if record.boot not in self.trouble.hung and not self.trouble.waits_for(record.boot)
        ]
        return sorted(wanted, key=self.trouble.last_answer)

    def _park(self, read: Read) -> list[Record]:
        """Let a late read continue while other reads run.

        Returns the records that can be asked again.
        """
        self.pace.ask_one()
        # Guests that were read in this pass have answered.
        self.trouble.park(read, self.clock.taken, self.clock.daemon_seconds)
        self._note_answered(read)
        self.examine([r for r in self.findings.records if not r.is_read])
        return [r for r in read.records if not self.trouble.waits_for(r.boot)]

    def _note_answered(self, read: Read) -> None:
        """Note the guests that answered before those that a late read waits for."""
        awaited = self.trouble.parked[read]
        for boots in read.asked:
            if awaited.intersection(boots):
                for boot in itertools.takewhile(lambda boot: boot not in awaited, boots):
                    self.trouble.note_answer(boot, self.clock.monotonic())
