# SPDX-License-Identifier: Apache-2.0
"""One pass over all guests of a host: ask in groups, and keep each answer as it comes."""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable

from ceilometer_memballoon.errors import DomainError, TooManyStuckCallsError
from ceilometer_memballoon.host import Host, Read
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Boot, Outcome, Record
from ceilometer_memballoon.trouble import Trouble

#: Seconds to wait before a busy domain is read again. Most jobs last for milliseconds.
BUSY_PAUSES = (0.005, 0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05)


@dataclasses.dataclass
class Cycle:
    """One pass over the guests of a host.

    pace, trouble, problems: what the reader remembers from one cycle to the next.
    groups: VIR_DOMAIN_STATS_* flags. end: when the pass ends, in monotonic seconds.
    daemon_seconds: how long libvirtd may take for what it answers alone. found: the
    records so far.
    """

    host: Host
    pace: Pace
    trouble: Trouble
    problems: ProblemLog
    groups: int
    end: float
    daemon_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    found: dict[Boot, Record] = dataclasses.field(default_factory=dict)
    _begun: dict[Read, float] = dataclasses.field(default_factory=dict)

    @property
    def seconds_left(self) -> float:
        """Seconds until the pass ends."""
        return self.end - self.monotonic()

    def examine(self) -> None:
        """Find out which guests hang, and mark them. Raises NoAnswerError."""
        self.trouble.examine(list(self.found.values()), self.pace.hung_after, self.daemon_seconds)
        self._mark(self.trouble.hung, Outcome.NOT_RESPONDING)

    def read(self, records: Iterable[Record]) -> None:
        """Read these domains in turn, as far as time and stuck calls allow.

        Those that have proved to answer come first, and those that have waited longest.
        Raises NoAnswerError.
        """
        todo = self._in_order(records)
        while todo and self.seconds_left > 0 and self.trouble.may_ask(todo[0]):
            group = self._next_group(todo)
            todo = todo[len(group) :]
            try:
                read = self.host.start_read(group, self.groups, self.daemon_seconds)
            except TooManyStuckCallsError:
                return
            self._begun[read] = self.monotonic()
            if read.wait(min(self.pace.late_after(len(group)), self.seconds_left)):
                todo = self._keep(read) + todo
            else:
                todo = self._in_order(todo + self._park(read))

    def read_busy_again(self, known: set[Boot]) -> set[Boot]:
        """Read busy domains again until their jobs are over; those that stay busy.

        known: boots that were busy for all of the last cycle. Raises NoAnswerError.
        """
        for seconds in BUSY_PAUSES:
            busy = [r for r in self._busy() if r.boot not in known]
            if not busy or self.seconds_left <= seconds:
                break
            self.pause(seconds)
            self.read(busy)
        busy = self._busy()
        if busy:
            # Somebody else's call may be stuck at them.
            before = self.trouble.hung
            self.trouble.examine(busy, self.pace.hung_after, self.daemon_seconds)
            self._mark(self.trouble.hung, Outcome.NOT_RESPONDING)
            self.trouble.hung |= before
        return {record.boot for record in busy}

    def await_parked(self) -> None:
        """Wait for late reads until their QEMU counts as hung or the pass ends."""
        for read in [read for read in self.trouble.parked if read in self._begun]:
            begun = self._begun[read]
            read.wait(min(begun + self.pace.hung_after - self.monotonic(), self.seconds_left))
            waited = self.monotonic() - begun
            awaited = self.trouble.parked[read]
            if read.leave():
                hangs = waited >= self.pace.hung_after
                self._mark(awaited, Outcome.NOT_RESPONDING if hangs else Outcome.NOT_ASKED)
                self.trouble.hung |= awaited if hangs else set()
                continue
            del self.trouble.parked[read]
            self.pace.learn_late(waited, len(read.records))
            self._keep(read)
            read.close(self.daemon_seconds)

    def _next_group(self, todo: list[Record]) -> list[Record]:
        """As many as the pace allows. Proven and unproven guests are not asked together."""
        first = self.trouble.is_proven(todo[0])
        group = todo[: self.pace.group]
        return [record for record in group if self.trouble.is_proven(record) is first]

    def _in_order(self, records: Iterable[Record]) -> list[Record]:
        wanted = [
            record
            for record in records
            if record.boot not in self.trouble.hung and not self.trouble.waits_for(record.boot)
        ]
        proven, last = self.trouble.is_proven, self.trouble.last_answer
        return sorted(wanted, key=lambda record: (not proven(record), last(record)))

    def _keep(self, read: Read) -> list[Record]:
        """Keep what the read has found. Returns the records that have to be read alone."""
        now = self.monotonic()
        try:
            records = read.result()
        except DomainError as error:
            self.pace.ask_one()
            if len(read.records) > 1:
                return read.records
            self._fail(read.records[0], error)
            return []
        for record in read.records:
            # A domain that is not in the answer has ended.
            self.found.pop(record.boot, None)
        for record in records:
            self.found[record.boot] = record
            if record.is_read:
                self.trouble.note_answer(record.boot, now)
        answered = sum(record.is_read for record in records)
        if answered:
            self.pace.learn(now - self._begun[read], answered)
        return []

    def _park(self, read: Read) -> list[Record]:
        """Let a late read go on beside the others. Returns those that can be asked anew."""
        self.pace.ask_one()
        self.trouble.park(read, self.monotonic(), self.daemon_seconds)
        waiting = [r for r in self.found.values() if not r.is_read]
        self.trouble.examine(waiting, self.pace.hung_after, self.daemon_seconds)
        self._mark(self.trouble.hung, Outcome.NOT_RESPONDING)
        return [r for r in read.records if not self.trouble.waits_for(r.boot)]

    def _busy(self) -> list[Record]:
        return [record for record in self.found.values() if record.outcome is Outcome.BUSY]

    def _fail(self, record: Record, error: DomainError) -> None:
        self.found[record.boot] = record.came_to(Outcome.FAILED)
        self.problems.log(
            record.boot, logging.WARNING, "Instance %s cannot be read: %s", record.uuid, error
        )

    def _mark(self, boots: Iterable[Boot], outcome: Outcome) -> None:
        for boot in boots:
            if boot in self.found and not self.found[boot].is_read:
                self.found[boot] = self.found[boot].came_to(outcome)
