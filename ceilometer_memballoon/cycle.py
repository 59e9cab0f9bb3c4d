# SPDX-License-Identifier: Apache-2.0
"""One pass over all guests of a host: ask in groups, and keep each answer as it comes."""

import dataclasses
import itertools
import logging
import time
from collections.abc import Callable, Iterable

from ceilometer_memballoon.errors import DomainError, TooManyStuckCallsError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.pending_read import Read
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Boot, Outcome, Record
from ceilometer_memballoon.trouble import Trouble

#: Seconds to wait before a busy domain is read again. Most jobs last for milliseconds.
BUSY_PAUSES = (0.005, 0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05)
#: Seconds for which one of several late reads is waited for before the next one is.
POLL_SECONDS = 0.05


@dataclasses.dataclass
class Cycle:
    """One pass over the guests of a host.

    pace, trouble, problems: what the reader remembers from one cycle to the next.
    groups: VIR_DOMAIN_STATS_* flags. taken, end, last: when the pass began, when no guest
    is waited for any more, and when libvirtd is not either, in monotonic seconds.
    longest_question: seconds that libvirtd may take for what it answers alone. found: the
    records so far.
    """

    host: Host
    pace: Pace
    trouble: Trouble
    problems: ProblemLog
    groups: int
    taken: float
    end: float
    last: float
    longest_question: float
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    found: dict[Boot, Record] = dataclasses.field(default_factory=dict)
    _begun: dict[Read, float] = dataclasses.field(default_factory=dict)

    @property
    def seconds_left(self) -> float:
        """Seconds until the pass ends."""
        return self.end - self.monotonic()

    @property
    def daemon_seconds(self) -> float:
        """How many seconds libvirtd may take now for what it answers alone."""
        return max(min(self.longest_question, self.last - self.monotonic()), 0)

    @property
    def unasked(self) -> list[Record]:
        """The domains that were not asked, without those that a late read waits for."""
        return [
            record
            for record in self.found.values()
            if record.outcome is Outcome.NOT_ASKED and not self.trouble.waits_for(record.boot)
        ]

    def examine(self, records: Iterable[Record] | None = None) -> None:
        """Find out which of the domains hang, by default of all, and mark those.

        Raises NoAnswerError.
        """
        suspects = list(self.found.values() if records is None else records)
        self.trouble.examine(suspects, self.pace.hung_after, self.daemon_seconds)
        if self.trouble.hung:
            self.trouble.begin(self.taken)
        self._mark(self.trouble.hung, Outcome.NOT_RESPONDING)

    def read(self, records: Iterable[Record]) -> None:
        """Read these domains in turn, as far as time and stuck calls allow.

        Those that have waited longest come first. Raises NoAnswerError.
        """
        todo = self._in_order(records)
        while todo and self.seconds_left > 0:
            if not self.trouble.may_ask(todo[0]):
                todo = todo[1:]
                continue
            group = self._next_group(todo)
            todo = todo[len(group) :]
            try:
                read = self.host.start_read(group, self.groups, self.daemon_seconds)
            except TooManyStuckCallsError:
                return
            self._begun[read] = self.monotonic()
            late = self.pace.late_after(len(group))
            if read.wait(min(late, self.seconds_left)):
                todo = self._keep(read) + todo
            elif self.seconds_left > 0:
                todo = self._in_order(todo + self._park(read))
            else:
                # The pass is over. That does not mean that a QEMU hangs.
                self.trouble.set_aside(read)

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
            # Another client's call may be stuck at them.
            self.examine(busy)
        return {record.boot for record in busy}

    def await_parked(self) -> bool:
        """Wait for a late read to return. Return whether one has.

        Each one is waited for until its QEMU counts as hung. While guests were not asked
        because too many reads are late, it is waited for until the pass ends.
        """
        while self.seconds_left > 0:
            until = {read: self._hung_at(read) for read in self._late()}
            if self.unasked:
                until = dict.fromkeys(until, self.end)
            now = self.monotonic()
            waiting = [read for read in until if read.returned or until[read] > now]
            if not waiting:
                break
            for read in waiting:
                if read.wait(min(POLL_SECONDS, until[read] - now, self.seconds_left)):
                    self._take(read)
                    return True
        return False

    def leave_parked(self) -> None:
        """Wait for no late read any more. Each one closes its own connection in the end."""
        for read in self._late():
            awaited = self.trouble.parked[read]
            hangs = self.monotonic() >= self._hung_at(read)
            if not read.leave():
                del self.trouble.parked[read]
                read.close(self.daemon_seconds)
            elif hangs:
                self._mark(awaited, Outcome.NOT_RESPONDING)
                self.trouble.hung |= awaited

    def _late(self) -> list[Read]:
        """The late reads of this pass."""
        return [read for read in self.trouble.parked if read in self._begun]

    def _hung_at(self, read: Read) -> float:
        return self._begun[read] + self.pace.hung_after

    def _take(self, read: Read) -> None:
        """Keep what a late read has found."""
        del self.trouble.parked[read]
        try:
            self._keep(read)
        finally:
            self.pace.note_late(self.monotonic() - self._begun[read])
            read.close(self.daemon_seconds)

    def _next_group(self, todo: list[Record]) -> list[Record]:
        """As many as the pace allows. Proven and unproven guests are not asked together."""
        proven = self.trouble.is_proven
        first = proven(todo[0])
        alike = itertools.takewhile(lambda record: proven(record) is first, todo)
        return list(itertools.islice(alike, self.pace.group))

    def _in_order(self, records: Iterable[Record]) -> list[Record]:
        wanted = [
            record
            for record in records
            if record.boot not in self.trouble.hung and not self.trouble.waits_for(record.boot)
        ]
        return sorted(wanted, key=self.trouble.last_answer)

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
        # A domain that is not in the answer has ended.
        before = {r.boot: self.found.pop(r.boot, None) for r in read.records}
        for record in records:
            known = before.get(record.boot)
            # A late read can find a domain busy that was read in the meantime.
            is_worse = known is not None and known.is_read and not record.is_read
            self.found[record.boot] = known if known is not None and is_worse else record
            if record.is_read:
                self.trouble.note_answer(record.boot, now)
                self.problems.clear(record.boot)
        answered = sum(record.is_read for record in records)
        if answered:
            self.pace.learn(now - self._begun[read], answered)
        return []

    def _park(self, read: Read) -> list[Record]:
        """Let a late read go on beside the others. Return the records that can be asked again."""
        self.pace.ask_one()
        # Guests that were read in this pass have proved that they answer.
        self.trouble.park(read, self.taken, self.daemon_seconds)
        if self.trouble.parked[read]:
            # libvirt asks the domains in turn, so those before the awaited one answered.
            answered = itertools.takewhile(
                lambda record: not self.trouble.waits_for(record.boot), read.records
            )
            for record in answered:
                self.trouble.note_answer(record.boot, self.monotonic())
        self.examine([r for r in self.found.values() if not r.is_read])
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
