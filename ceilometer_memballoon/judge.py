# SPDX-License-Identifier: Apache-2.0
"""Judge a domain by its statistics and its history."""

import time
from collections.abc import Callable, Iterable

from ceilometer_memballoon import reading
from ceilometer_memballoon.history import History
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.reading import Circumstances, Reading, no_reading, run_state
from ceilometer_memballoon.reasons import Reason
from ceilometer_memballoon.record import Outcome, Record

#: The reason for each outcome of a domain that was not read.
UNREAD = {
    Outcome.BUSY: Reason.BUSY,
    Outcome.NOT_RESPONDING: Reason.NOT_RESPONDING,
    Outcome.NOT_ASKED: Reason.NOT_ASKED,
    Outcome.FAILED: Reason.READ_ERROR,
}


class Judge:
    """Makes readings from records. It knows each domain's period and history."""

    def __init__(
        self,
        periods: PeriodKeeper,
        history: History,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """clock: returns the seconds since the epoch on the host of the QEMU processes."""
        self._periods = periods
        self._history = history
        self._clock = clock

    def update(self, records: Iterable[Record]) -> None:
        """Learn from a read of all running domains. Other domains are forgotten."""
        self._history.update(records, self._clock())

    def note(self, records: Iterable[Record]) -> None:
        """Learn from a further read of some running domains."""
        self._history.note(records, self._clock())

    def reading(self, record: Record) -> Reading:
        """Return the reading of the record at this time."""
        now = self._clock()
        if not record.is_read:
            return no_reading(UNREAD[record.outcome], self._history.age(record, now))
        expected = self._periods.expected(record)
        return reading.judge(record.stats, now, expected, self._circumstances(record, now))

    def _circumstances(self, record: Record, now: float) -> Circumstances:
        facts = self._periods.facts(record)
        return Circumstances(
            state=run_state(record.state, record.state_reason),
            balloon=facts is None or facts.balloon.is_virtio,
            booting=self._history.is_booting(record, now),
            last_report=self._history.last_report(record),
        )
