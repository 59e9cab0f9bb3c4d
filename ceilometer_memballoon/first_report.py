# SPDX-License-Identifier: Apache-2.0
"""Wait for the first report of guests that were just enabled."""

import time
from collections.abc import Callable

from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.reader import Reader
from ceilometer_memballoon.record import Record

#: A guest usually answers within milliseconds of being enabled. It is read again up to this many
#: times, this many seconds apart.
ENABLED_TRIES = 10
ENABLED_PAUSE = 0.1
#: The longest duration in seconds if libvirt answers at once.
ENABLED_SECONDS = ENABLED_TRIES * ENABLED_PAUSE


class FirstReport:
    """Reads newly enabled guests again and again, until each one reports."""

    def __init__(
        self,
        reader: Reader,
        judge: Judge,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reader = reader
        self._judge = judge
        self._monotonic = monotonic
        self._pause = pause

    def wait(self, records: dict[str, Record], waiting: set[str], end: float) -> None:
        """Replace the records of the waiting guests until they report or the time is up.

        records: Records by UUID.
        waiting: UUIDs.
        end: In monotonic seconds.
        """
        end = min(end, self._monotonic() + ENABLED_SECONDS)
        while waiting and self._monotonic() < end:
            self._pause(ENABLED_PAUSE)
            try:
                again = self._reader.read_again([records[uuid] for uuid in waiting], end)
            except NoAnswerError:
                return
            self._judge.note(again)
            records.update({record.uuid: record for record in again})
            waiting = waiting - {r.uuid for r in again if self._judge.reading(r).reason is None}
