# SPDX-License-Identifier: Apache-2.0
"""Remember when each guest started and last reported."""

import dataclasses
from collections.abc import Iterable

from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.reading import last_report
from ceilometer_memballoon.record import Boot, Record


@dataclasses.dataclass
class Life:
    """One boot of one domain.

    All times are in seconds since the epoch. started: when it started, None if that is not
    known. last_report: of when the last statistics with a number were, None if there were
    none. silent_since: when statistics that had numbers were first seen without any.
    """

    started: float | None = None
    last_report: float | None = None
    silent_since: float | None = None


class History:
    """Remembers the boots of all domains that run."""

    def __init__(self, boot_seconds: float, processes: QemuProcesses) -> None:
        """boot_seconds: how long a guest that has not reported yet counts as booting."""
        self._boot_seconds = boot_seconds
        self._processes = processes
        self._lives: dict[Boot, Life] = {}
        self._is_first = True

    def update(self, records: Iterable[Record], now: float) -> None:
        """Learn from a read of all running domains.

        now: seconds since the epoch. What is known of other domains is forgotten.
        """
        records = list(records)
        new = [record.uuid for record in records if record.boot not in self._lives]
        started = self._processes.started(new) if new else {}
        # A domain that was not there in the last cycle has started since.
        unknown = None if self._is_first else now
        self._lives = {
            record.boot: self._lives.get(record.boot)
            or Life(started=started.get(record.uuid, unknown))
            for record in records
        }
        self._is_first = False
        self.note(records, now)

    def note(self, records: Iterable[Record], now: float) -> None:
        """Learn from a further read of some of them."""
        for record in records:
            if record.is_read:
                self._note(self._life(record), record, now)

    def last_report(self, record: Record) -> float | None:
        """When the guest last reported a number, in seconds since the epoch."""
        return self._life(record).last_report

    def age(self, record: Record, now: float) -> float | None:
        """Seconds since the guest last reported a number; None if that was not seen."""
        reported = self.last_report(record)
        return None if reported is None else now - reported

    def is_booting(self, record: Record, now: float) -> bool:
        """Whether the guest has started or rebooted a short while ago and not reported since."""
        life = self._life(record)
        # A guest that has reported before reboots: QEMU 10 clears its statistics then.
        since = life.started if life.last_report is None else life.silent_since
        return since is not None and now - since < self._boot_seconds

    def _life(self, record: Record) -> Life:
        return self._lives.setdefault(record.boot, Life())

    def _note(self, life: Life, record: Record, now: float) -> None:
        reported = last_report(record.stats)
        if reported is not None:
            life.last_report, life.silent_since = reported, None
        elif life.silent_since is None:
            life.silent_since = now
