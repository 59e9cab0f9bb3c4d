# SPDX-License-Identifier: Apache-2.0
"""Wait for the late reads of one pass over the guests of a host."""

import dataclasses

from ceilometer_memballoon.cycle_clock import CycleClock
from ceilometer_memballoon.findings import Findings
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.pending_read import Read
from ceilometer_memballoon.record import Boot, Record
from ceilometer_memballoon.trouble import Trouble

#: Seconds of waiting for one late read before the next one is checked.
POLL_SECONDS = 0.05


@dataclasses.dataclass
class LateReads:
    """The parked reads of one pass. Reads of earlier passes are not waited for or left."""

    trouble: Trouble
    pace: Pace
    findings: Findings
    clock: CycleClock

    def wait(self) -> bool:
        """Wait for a late read to return. Return whether one has returned.

        Each read is waited for until its QEMU process counts as hung. If guests were not asked
        because too many reads are late, the wait lasts until the pass ends. Raises
        NoAnswerError.
        """
        while self.clock.seconds_left > 0:
            until = {read: self._hung_at(read) for read in self._parked()}
            if self.findings.unasked:
                until = dict.fromkeys(until, self.clock.end)
            now = self.clock.monotonic()
            waiting = [read for read in until if read.returned or until[read] > now]
            if not waiting:
                break
            for read in waiting:
                if read.wait(min(POLL_SECONDS, until[read] - now, self.clock.seconds_left)):
                    self._take(read)
                    return True
        return False

    def leave(self) -> None:
        """Stop waiting for late reads. Each one closes its own connection when it returns."""
        for read in self._parked():
            awaited = self.trouble.parked[read]
            hangs = self.clock.monotonic() >= self._hung_at(read)
            if not read.leave():
                del self.trouble.parked[read]
                read.close(self.clock.daemon_seconds)
            elif hangs:
                self.findings.mark_hung(awaited)
                self.trouble.hung |= awaited

    def held_by_earlier_reads(self) -> list[Record]:
        """Return the unread domains that a read of an earlier pass asks, without hung ones.

        When a guest answers after a hang, its read goes on to the next guests. It asks a healthy
        one only for milliseconds.
        """
        boots = {boot for read in self._earlier() for boot in self.trouble.parked[read]}
        boots -= self.trouble.hung
        return [r for r in self.findings.records if r.boot in boots and not r.is_read]

    def take_earlier(self) -> list[Record]:
        """Forget the reads of earlier passes that have returned.

        Returns the unasked domains that they waited for.
        """
        freed: set[Boot] = set()
        for read in self._earlier():
            if read.returned:
                freed |= self.trouble.parked.pop(read)
                # A guest that takes longer than a whole pass is not slow. It hung.
                if read.seconds <= self.clock.last - self.clock.taken:
                    self.pace.learn(read.seconds, len(read.records))
        return [record for record in self.findings.unasked if record.boot in freed]

    def _earlier(self) -> list[Read]:
        return [read for read in self.trouble.parked if read not in self.findings.begun]

    def _parked(self) -> list[Read]:
        return [read for read in self.trouble.parked if read in self.findings.begun]

    def _hung_at(self, read: Read) -> float:
        return self.findings.begun[read] + self.pace.hung_after

    def _take(self, read: Read) -> None:
        """Keep the results of a late read."""
        del self.trouble.parked[read]
        try:
            self.findings.keep(read)
        finally:
            self.pace.note_late(self.clock.monotonic() - self.findings.begun[read])
            read.close(self.clock.daemon_seconds)
