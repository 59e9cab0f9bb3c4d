# SPDX-License-Identifier: Apache-2.0
"""Remember when each guest started and last reported."""

import dataclasses
from collections.abc import Iterable

from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.reading import last_report
from ceilometer_memballoon.record import Boot, Record


@dataclasses.dataclass
class BootTimes:
    """One boot of one domain. All times are in seconds since the epoch.

    started: When it started; None if unknown.
    last_report: The time of the last statistics with a number; None if there were none.
    silent_since: When the statistics were first seen without a number, in this boot or since
        the last report; None if they have a number.
    """

    started: float | None = None
    last_report: float | None = None
    silent_since: float | None = None


class History:
    """Remembers the boots of all running domains."""

    def __init__(self, boot_seconds: float, processes: QemuProcesses) -> None:
        """boot_seconds: how long a guest without a report counts as booting."""
        self._boot_seconds = boot_seconds
        self._processes = processes
        self._boots: dict[Boot, BootTimes] = {}
        self._is_first = True

    def update(self, records: Iterable[Record], now: float) -> None:
        """Learn from a read of all running domains. Other domains are forgotten.

        now: seconds since the epoch.
        """
        records = list(records)
        new = [record.uuid for record in records if record.boot not in self._boots]
        started = self._processes.started(new) if new else {}
        # A domain that was not there in the previous cycle has started since.
        unknown = None if self._is_first else now
        self._boots = {
            record.boot: self._boots.get(record.boot)
            or BootTimes(started=started.get(record.uuid, unknown))
            for record in records
        }
        self._is_first = False
        self.note(records, now)

    def note(self, records: Iterable[Record], now: float) -> None:
        """Learn from a further read of some of these domains."""
        for record in records:
            if record.is_read:
                self._note(self._boot_times(record), record, now)

    def last_report(self, record: Record) -> float | None:
        """Return when the guest last reported a number, in seconds since the epoch."""
        return self._boot_times(record).last_report

    def age(self, record: Record, now: float) -> float | None:
        """Return the seconds since the guest last reported a number; None if no report was seen."""
        reported = self.last_report(record)
        return None if reported is None else now - reported

    def is_booting(self, record: Record, now: float) -> bool:
        """Return whether the guest started or rebooted recently and has not reported since."""
        times = self._boot_times(record)
        # A guest that reported before is rebooting. QEMU 10 clears its statistics then.
        since = times.started if times.last_report is None else times.silent_since
        return since is not None and now - since < self._boot_seconds

    def _boot_times(self, record: Record) -> BootTimes:
        times = self._boots.get(record.boot)
        if times is None:
            times = self._boots[record.boot] = BootTimes()
        return times

    def _note(self, times: BootTimes, record: Record, now: float) -> None:
        reported = last_report(record.stats)
        if reported is not None:
            times.last_report, times.silent_since = reported, None
        elif times.silent_since is None:
            times.silent_since = now
