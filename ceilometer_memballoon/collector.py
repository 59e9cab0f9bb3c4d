# SPDX-License-Identifier: Apache-2.0
"""One polling cycle, which all of its pollsters share: read, judge, set periods."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from typing import Any

from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.first_report import ENABLED_SECONDS, FirstReport
from ceilometer_memballoon.groups import Question
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.observation import Observation
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.reader import Reader, Snapshot
from ceilometer_memballoon.reading import Reading, no_reading
from ceilometer_memballoon.reason_log import ReasonLog
from ceilometer_memballoon.reasons import Reason
from ceilometer_memballoon.record import Record
from ceilometer_memballoon.snapshots import Snapshots

#: The key of a cycle's readings in the dictionary that its pollsters share.
CACHE_KEY = "ceilometer_memballoon"

#: A subject of log messages.
LIBVIRT = "libvirt"

Readings = Mapping[str, Reading]


class Collector:
    """Takes the readings of one host's guests, at most once in each polling cycle."""

    def __init__(
        self,
        reader: Reader,
        periods: PeriodKeeper,
        judge: Judge,
        timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """timeout: seconds that one cycle may take."""
        self._reader = reader
        self._periods = periods
        self._judge = judge
        self._timeout = timeout
        self._monotonic = monotonic
        self._first_report = FirstReport(reader, judge, monotonic, pause)
        self._problems = ProblemLog()
        self._reasons = ReasonLog()
        #: The reads of this host. Other code that needs its domains shares them.
        self.snapshots = Snapshots(self._read, self.longest_cycle, monotonic)

    @property
    def host(self) -> Host:
        """The host whose guests are read."""
        return self._reader.host

    @property
    def longest_cycle(self) -> float:
        """The longest duration of a cycle in seconds, with a margin."""
        return 2 * (self._timeout + ENABLED_SECONDS)

    def readings(self, cache: dict[str, Any], instances: Iterable[str]) -> Readings:
        """Return the readings of the cycle that the cache belongs to, by instance UUID.

        The first pollster of a cycle takes the readings. The other pollsters get the same ones,
        even in parallel threads. An instance without a running domain is GONE. The result is
        empty if libvirt gives no answer. Raises TimeoutError past longest_cycle, and
        NoAnswerError if another cycle does not end.
        """
        mine: futures.Future[Readings] = futures.Future()
        shared: futures.Future[Readings] = cache.setdefault(CACHE_KEY, mine)
        if shared is mine:
            try:
                mine.set_result(self._collect_alone(list(instances)))
            except Exception as error:
                mine.set_exception(error)
        return shared.result(self.longest_cycle)

    def observe(self, *, enable: bool) -> list[Observation]:
        """Read and judge all running domains.

        enable: Whether to set the periods that have to change and wait for the first report of
            those guests.
        Raises NoAnswerError if libvirt gives no answer.
        """
        end = self._monotonic() + self._timeout
        records = dict(self.snapshots.get(Question.MEMORY).records)
        readings = {uuid: self.judge(record) for uuid, record in records.items()}
        suspects = {u for u, r in records.items() if r.is_read and readings[u].reason is not None}
        enabled = self._periods.ensure(list(records.values()), suspects, end, enable=enable)
        self._first_report.wait(records, enabled & suspects, end)
        # Judge these again, because their XML is known now and some were read again.
        readings |= {uuid: self.judge(records[uuid]) for uuid in suspects}
        return [
            Observation(record, self._periods.facts(record), readings[uuid])
            for uuid, record in records.items()
        ]

    def judge(self, record: Record) -> Reading:
        """Return the reading of the record at this time."""
        return self._judge.reading(record)

    def wait_for_answer(self, record: Record) -> bool:
        """Return whether the guest, which was just enabled, reports within about a second.

        Raises NoAnswerError.
        """
        records = {record.uuid: record}
        self._first_report.wait(records, {record.uuid}, self._monotonic() + self._timeout)
        return self.judge(records[record.uuid]).reason is None

    def _read(self, groups: int) -> Snapshot:
        snapshot = self._reader.read(groups)
        self._judge.update(snapshot.records.values())
        return snapshot

    def _collect_alone(self, instances: list[str]) -> Readings:
        # Sources with different intervals have their own cycles in parallel.
        with self.snapshots.exclusive():
            return self._collect(instances)

    def _collect(self, instances: list[str]) -> Readings:
        try:
            seen = self.observe(enable=True)
        except NoAnswerError as error:
            self._problems.log(LIBVIRT, logging.WARNING, "No statistics from libvirt: %s", error)
            return {}
        self._problems.clear(LIBVIRT, "libvirt gives statistics again.")
        readings = {one.record.uuid: one.reading for one in seen}
        readings |= {u: no_reading(Reason.GONE) for u in instances if u not in readings}
        self._reasons.update({uuid: readings[uuid].reason for uuid in instances})
        return readings
