# SPDX-License-Identifier: Apache-2.0
"""The results of one pass over the guests of a host so far."""

import dataclasses
import logging
from collections.abc import Iterable

from ceilometer_memballoon.cycle_clock import CycleClock
from ceilometer_memballoon.errors import DomainError
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.pending_read import Read
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Boot, Outcome, Record
from ceilometer_memballoon.trouble import Trouble


@dataclasses.dataclass
class Findings:
    """The records of one pass, and the reads that it has started.

    pace, trouble, problems: What the reader remembers from one pass to the next.
    found: The records so far.
    begun: When each read started, in monotonic seconds.
    """

    pace: Pace
    trouble: Trouble
    problems: ProblemLog
    clock: CycleClock
    found: dict[Boot, Record]
    begun: dict[Read, float] = dataclasses.field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        """All records so far."""
        return list(self.found.values())

    @property
    def unasked(self) -> list[Record]:
        """The domains that were not asked, without those that a late read waits for."""
        return [
            record
            for record in self.records
            if record.outcome is Outcome.NOT_ASKED and not self.trouble.waits_for(record.boot)
        ]

    @property
    def busy(self) -> list[Record]:
        """The domains that another job holds."""
        return [record for record in self.records if record.outcome is Outcome.BUSY]

    def keep(self, read: Read) -> list[Record]:
        """Keep the results of the read. Return the records that have to be read alone.

        Raises NoAnswerError.
        """
        now = self.clock.monotonic()
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
            self._keep(record, before.get(record.boot), now)
        answered = sum(record.is_read for record in records)
        if answered:
            self.pace.learn(now - self.begun[read], answered)
        return []

    def mark_hung(self, boots: Iterable[Boot]) -> None:
        """Set those of these domains that were not read to NOT_RESPONDING."""
        for boot in boots:
            if boot in self.found and not self.found[boot].is_read:
                self.found[boot] = self.found[boot].with_outcome(Outcome.NOT_RESPONDING)

    def _keep(self, record: Record, known: Record | None, now: float) -> None:
        # A late read can find a domain busy that another read has read in the meantime.
        is_worse = known is not None and known.is_read and not record.is_read
        self.found[record.boot] = known if known is not None and is_worse else record
        if record.is_read:
            self.trouble.note_answer(record.boot, now)
            self.problems.clear(record.boot)

    def _fail(self, record: Record, error: DomainError) -> None:
        self.found[record.boot] = record.with_outcome(Outcome.FAILED)
        self.problems.log(
            record.boot, logging.WARNING, "Instance %s cannot be read: %s", record.uuid, error
        )
