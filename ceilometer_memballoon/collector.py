# SPDX-License-Identifier: Apache-2.0
"""One polling cycle: read, judge, set periods. All pollsters of the cycle share it."""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from typing import Any

from oslo_config import cfg
from oslo_log import log

from ceilometer_memballoon import host as libvirt_host
from ceilometer_memballoon import shutdown
from ceilometer_memballoon.domain_xml import Balloon, DomainFacts
from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.groups import Question
from ceilometer_memballoon.history import History
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import MOST_SECONDS, PeriodRule
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.reader import Reader, Snapshot
from ceilometer_memballoon.reading import (
    REMEDIES,
    Circumstances,
    Reading,
    Reason,
    judge,
    no_reading,
    run_state,
)
from ceilometer_memballoon.record import Outcome, Record
from ceilometer_memballoon.snapshots import Snapshots

LOG = log.getLogger(__name__)

#: Where a cycle's readings are kept in the dictionary that its pollsters share.
CACHE_KEY = "ceilometer_memballoon"

#: A subject of log messages.
LIBVIRT = "libvirt"

#: A guest usually answers within milliseconds of being enabled. It is read again up to
#: this many times, this many seconds apart.
ENABLED_TRIES = 10
ENABLED_PAUSE = 0.1

#: Why a domain that was not read has no reading.
UNREAD = {
    Outcome.BUSY: Reason.BUSY,
    Outcome.NOT_RESPONDING: Reason.NOT_RESPONDING,
    Outcome.NOT_ASKED: Reason.NOT_ASKED,
    Outcome.FAILED: Reason.READ_ERROR,
}
#: The level at which a reason is logged; INFO for all others. One warning for the whole
#: host says why guests are not asked.
LEVELS = {
    Reason.GONE: logging.DEBUG,
    Reason.BOOTING: logging.DEBUG,
    Reason.NOT_ASKED: logging.DEBUG,
    Reason.NOT_RESPONDING: logging.WARNING,
}

Readings = Mapping[str, Reading]


@dataclasses.dataclass(frozen=True)
class Observation:
    """What one cycle found about one running domain.

    facts: from its live XML; None if that was not read yet.
    """

    record: Record
    facts: DomainFacts | None
    reading: Reading

    @property
    def balloon(self) -> Balloon | None:
        """The domain's balloon, None if its XML was not read yet."""
        return None if self.facts is None else self.facts.balloon


class Collector:
    """Takes the readings of one host's guests, at most once in each polling cycle."""

    def __init__(
        self,
        reader: Reader,
        periods: PeriodKeeper,
        history: History,
        timeout: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """timeout: seconds that one cycle may take.

        clock: seconds since the epoch, as the host's QEMU processes see them.
        """
        self._reader = reader
        self._periods = periods
        self._history = history
        self._timeout = timeout
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._problems = ProblemLog()
        self._reasons: dict[str, Reason | None] = {}
        #: The reads of this host, shared with other code that needs its domains.
        self.snapshots = Snapshots(self._read, self.longest_cycle, monotonic)

    @property
    def host(self) -> Host:
        """The host whose guests are read."""
        return self._reader.host

    @property
    def longest_cycle(self) -> float:
        """Seconds after which a cycle has ended, with a margin."""
        return 2 * self._timeout + 2 * ENABLED_TRIES * ENABLED_PAUSE

    def readings(self, cache: dict[str, Any], instances: Iterable[str]) -> Readings:
        """The readings of the cycle that the cache belongs to, by instance uuid.

        The first pollster of a cycle takes them. The others get the same ones, also when
        they run in parallel threads. An instance without a running domain is GONE. The
        result is empty if libvirt gives no answer. Raises TimeoutError past longest_cycle,
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

    def _collect_alone(self, instances: list[str]) -> Readings:
        # Sources with different intervals have cycles of their own, in parallel.
        with self.snapshots.exclusive():
            return self._collect(instances)

    def _read(self, groups: int) -> Snapshot:
        snapshot = self._reader.read(groups)
        self._history.update(snapshot.records.values(), self._clock())
        return snapshot

    def observe(self, *, enable: bool) -> list[Observation]:
        """Read and judge all running domains.

        enable: set the periods that have to change, and wait for the first answer of those
        guests. Raises NoAnswerError if libvirt gives no answer.
        """
        end = self._monotonic() + self._timeout
        records = dict(self.snapshots.get(Question.MEMORY).records)
        readings = {uuid: self.judge(record) for uuid, record in records.items()}
        suspects = {u for u, r in records.items() if r.is_read and readings[u].reason is not None}
        enabled = self._periods.ensure(list(records.values()), suspects, end, enable=enable)
        self._read_enabled(records, enabled & suspects, end)
        # Judge these again: their XML is known now, and some were read again.
        readings |= {uuid: self.judge(records[uuid]) for uuid in suspects}
        return [
            Observation(record, self._periods.facts(record), readings[uuid])
            for uuid, record in records.items()
        ]

    def judge(self, record: Record) -> Reading:
        """Return the reading of the record at this moment."""
        now = self._clock()
        if not record.is_read:
            return no_reading(UNREAD[record.outcome], self._history.age(record, now))
        facts = self._periods.facts(record)
        circumstances = Circumstances(
            state=run_state(record.state, record.state_reason),
            balloon=facts is None or facts.balloon.is_virtio,
            booting=self._history.is_booting(record, now),
            last_report=self._history.last_report(record),
        )
        return judge(record.stats, now, self._periods.expected(record), circumstances)

    def wait_for_answer(self, record: Record) -> bool:
        """Whether the guest, just enabled, reports within a second or so.

        Raises NoAnswerError.
        """
        records = {record.uuid: record}
        self._read_enabled(records, {record.uuid}, self._monotonic() + self._timeout)
        return self.judge(records[record.uuid]).reason is None

    def _collect(self, instances: list[str]) -> Readings:
        try:
            seen = self.observe(enable=True)
        except NoAnswerError as error:
            self._problems.log(LIBVIRT, logging.WARNING, "No statistics from libvirt: %s", error)
            return {}
        self._problems.clear(LIBVIRT, "libvirt gives statistics again.")
        readings = {uuid: no_reading(Reason.GONE) for uuid in instances}
        readings |= {one.record.uuid: one.reading for one in seen}
        self._log_reasons(readings, instances)
        return readings

    def _read_enabled(self, records: dict[str, Record], waiting: set[str], end: float) -> None:
        """Read the guests that were just enabled until each has answered."""
        end = min(end, self._monotonic() + ENABLED_TRIES * ENABLED_PAUSE)
        while waiting and self._monotonic() < end:
            self._pause(ENABLED_PAUSE)
            try:
                again = self._reader.read_again([records[uuid] for uuid in waiting], end)
            except NoAnswerError:
                return
            self._history.note(again, self._clock())
            for record in again:
                records[record.uuid] = record
                if self.judge(record).reason is None:
                    waiting = waiting - {record.uuid}

    def _log_reasons(self, readings: Readings, instances: list[str]) -> None:
        """Log the reasons that have changed. Domains that are not instances are ignored."""
        before = self._reasons
        self._reasons = {uuid: readings[uuid].reason for uuid in instances}
        for uuid, reason in self._reasons.items():
            known = before.get(uuid)
            if reason is known:
                continue
            if reason is not None:
                level = LEVELS.get(reason, logging.INFO)
                LOG.log(
                    level,
                    "Instance %s: no memory.usage: %s. %s", uuid, reason.value, REMEDIES[reason],
                )  # fmt: skip
            elif known is not None:
                level = min(LEVELS.get(known, logging.INFO), logging.INFO)
                LOG.log(level, "Instance %s reports its memory again", uuid)


_collectors: dict[int, tuple[cfg.ConfigOpts, Collector]] = {}
_collectors_lock = threading.Lock()


def shared(conf: cfg.ConfigOpts) -> Collector:
    """The one collector of all pollsters that have this configuration."""
    with _collectors_lock:
        # By identity, because ConfigOpts is a mapping and has no hash. It is kept, so that
        # no other one gets its id.
        if id(conf) not in _collectors:
            host = libvirt_host.from_conf(conf)
            _collectors[id(conf)] = conf, from_conf(conf, host)
            shutdown.on_sigterm(host.stop)
        return _collectors[id(conf)][1]


def rule_of(conf: cfg.ConfigOpts) -> PeriodRule:
    """What the configuration says about periods."""
    found = conf.get_location("mem_stats_period_seconds", "libvirt").location
    return PeriodRule(
        period=conf.libvirt.mem_stats_period_seconds,
        chosen=found not in (cfg.Locations.opt_default, cfg.Locations.set_default),
        may_set=conf.memballoon.set_periods,
    )


def from_conf(conf: cfg.ConfigOpts, host: Host) -> Collector:
    """A collector for this host with what the configuration says."""
    options = conf.memballoon
    rule = rule_of(conf)
    if rule.is_too_long:
        LOG.warning(
            "[libvirt] mem_stats_period_seconds is %s, and libvirt takes %s at most. No period is "
            "set.", rule.period, MOST_SECONDS,
        )  # fmt: skip
    processes = QemuProcesses()
    return Collector(
        Reader(host, options.libvirt_timeout, options.most_stuck_calls, processes),
        PeriodKeeper(host, rule),
        History(options.boot_seconds, processes),
        options.libvirt_timeout,
    )
