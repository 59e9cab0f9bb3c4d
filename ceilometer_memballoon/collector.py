# SPDX-License-Identifier: Apache-2.0
"""One polling cycle: read, ensure, judge; shared by all pollsters of the cycle."""

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
from ceilometer_memballoon.deadline import MOST_LEFT_BEHIND
from ceilometer_memballoon.domain_xml import Balloon
from ceilometer_memballoon.errors import DomainError, DomainGoneError, NoAnswerError
from ceilometer_memballoon.host import Hold, Host, Record
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.reading import (
    REMEDIES,
    Circumstances,
    Reading,
    Reason,
    RunState,
    judge,
    no_reading,
)

LOG = log.getLogger(__name__)

#: Where a cycle's readings are kept in the dictionary that its pollsters share.
CACHE_KEY = "ceilometer_memballoon"

#: What the log's messages may be about.
LIBVIRT = "libvirt"

#: A guest that is switched on answers within milliseconds; waited for it is, in
#: seconds, so many times so long.
ENABLED_TRIES = 10
ENABLED_PAUSE = 0.1

LEVELS = {Reason.GONE: logging.DEBUG, Reason.NOT_RESPONDING: logging.WARNING}

Readings = Mapping[str, Reading]


@dataclasses.dataclass(frozen=True)
class Observation:
    """What was seen of one running domain; balloon: None where its XML was not read."""

    record: Record
    balloon: Balloon | None
    reading: Reading


class Collector:
    """Takes the readings of one host's guests, at most once in each polling cycle."""

    def __init__(
        self,
        host: Host,
        period: int,
        timeout: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """period: the option's, in seconds; timeout: seconds that one libvirt call may take.

        clock: seconds since the epoch, as the host's QEMU processes see them.
        """
        self._host = host
        self._timeout = timeout
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._periods = PeriodKeeper(host, period, monotonic)
        self._problems = ProblemLog()
        self._reasons: dict[str, Reason | None] = {}
        self._lock = threading.Lock()

    @property
    def longest_cycle(self) -> float:
        """Seconds after which a cycle is over, whatever hangs."""
        # Calls left behind while reading; then the timeout for all further asking,
        # and what was begun just before that ended.
        return (MOST_LEFT_BEHIND + 6) * self._timeout + ENABLED_TRIES * ENABLED_PAUSE

    def stop(self) -> None:
        """End the cycle under way without waiting for libvirt any longer, and begin no other."""
        self._host.stop()

    def readings(self, cache: dict[str, Any], instances: Iterable[str]) -> Readings:
        """The readings of the cycle that the cache belongs to, by instance uuid.

        The first pollster of a cycle takes them; the others get the same, also when
        they run in parallel threads. Instances without a running domain are DomainGoneError.
        Empty where libvirt gives no answer. Raises TimeoutError past longest_cycle.
        """
        mine: futures.Future[Readings] = futures.Future()
        shared: futures.Future[Readings] = cache.setdefault(CACHE_KEY, mine)
        if shared is mine:
            try:
                mine.set_result(self._collect_alone(instances))
            except Exception as error:
                mine.set_exception(error)
        return shared.result(self.longest_cycle)

    def _collect_alone(self, instances: Iterable[str]) -> Readings:
        # Sources with different intervals have cycles of their own, in parallel.
        if not self._lock.acquire(timeout=self.longest_cycle):
            raise TimeoutError("another cycle does not end")
        try:
            return self._collect(instances)
        finally:
            self._lock.release()

    def observe(self, *, enable: bool) -> list[Observation]:
        """All running domains, those that need it switched on before if enable is set.

        Raises NoAnswerError where libvirt gives no answer.
        """
        records = {record.uuid: record for record in self._host.read()}
        end = self._monotonic() + self._timeout
        held = self._read_busy(records, end)
        readings = {
            uuid: no_reading(held[uuid]) if uuid in held else self.judge(record)
            for uuid, record in records.items()
        }
        suspects = {u for u, r in readings.items() if r.reason is not None and u not in held}
        enabled = self._periods.ensure(list(records.values()), suspects, end, enable=enable)
        self._read_enabled(records, enabled & suspects, end)
        # More is known of these now: their balloons, and what was read again.
        readings |= {uuid: self.judge(records[uuid]) for uuid in suspects}
        return [
            Observation(record, self._periods.balloon(record), readings[uuid])
            for uuid, record in records.items()
        ]

    def judge(self, record: Record) -> Reading:
        """What the record's statistics are worth now."""
        balloon = self._periods.balloon(record)
        return judge(
            record.stats,
            self._clock(),
            self._periods.expected(record),
            Circumstances(
                state=RunState.PAUSED if record.paused else RunState.RUNNING,
                balloon=balloon is None or balloon.is_virtio,
            ),
        )

    def wait_for_answer(self, record: Record) -> bool:
        """Whether the guest, just switched on, has sound statistics within a second or so.

        Raises as Host.read_one.
        """
        for _ in range(ENABLED_TRIES):
            self._pause(ENABLED_PAUSE)
            if self.judge(self._host.read_one(record)).reason is None:
                return True
        return False

    def _collect(self, instances: Iterable[str]) -> Readings:
        try:
            seen = self.observe(enable=True)
        except NoAnswerError as error:
            self._problems.log(LIBVIRT, logging.WARNING, "No statistics from libvirt: %s", error)
            return {}
        self._problems.clear(LIBVIRT, "libvirt gives statistics again.")
        readings = {uuid: no_reading(Reason.GONE) for uuid in instances}
        readings |= {one.record.uuid: one.reading for one in seen}
        self._log_reasons(readings)
        return readings

    def _read_busy(self, records: dict[str, Record], end: float) -> dict[str, Reason]:
        """Read the domains that the bulk read passed over; the reasons of those still unread."""
        held = {}
        for record in [record for record in records.values() if record.busy]:
            reason = Reason.BUSY
            try:
                hold = self._host.hold(record) if self._monotonic() < end else Hold.JOB
                if hold is Hold.FREE:
                    records[record.uuid] = self._host.read_one(record)
                    continue
                if hold is Hold.QEMU:
                    reason = Reason.NOT_RESPONDING
            except DomainGoneError:
                reason = Reason.GONE
            except DomainError:
                reason = Reason.BUSY
            except NoAnswerError:
                reason = Reason.NOT_RESPONDING
            held[record.uuid] = reason
        return held

    def _read_enabled(self, records: dict[str, Record], waiting: set[str], end: float) -> None:
        """Read once more those guests that were just switched on and have answered since."""
        for _ in range(ENABLED_TRIES):
            if not waiting or self._monotonic() > end:
                return
            self._pause(ENABLED_PAUSE)
            try:
                again = self._host.read()
            except NoAnswerError:
                return
            for record in again:
                if record.uuid in waiting and self.judge(record).reason is None:
                    records[record.uuid] = record
                    waiting.discard(record.uuid)

    def _log_reasons(self, readings: Readings) -> None:
        before, self._reasons = self._reasons, {u: r.reason for u, r in readings.items()}
        for uuid, reason in self._reasons.items():
            if reason is before.get(uuid):
                continue
            if reason is None:
                LOG.info("Instance %s reports its memory again", uuid)
            else:
                level = LEVELS.get(reason, logging.INFO)
                LOG.log(
                    level, "Instance %s: no memory.usage: %s. %s",
                    uuid, reason.value, REMEDIES[reason],
                )  # fmt: skip


_collectors: dict[int, tuple[cfg.ConfigOpts, Collector]] = {}
_collectors_lock = threading.Lock()


def shared(conf: cfg.ConfigOpts) -> Collector:
    """The one collector of all pollsters that have this configuration."""
    with _collectors_lock:
        # By identity, for ConfigOpts is a mapping and has no hash; kept, so that its
        # id stays its own.
        if id(conf) not in _collectors:
            made = from_conf(conf)
            _collectors[id(conf)] = conf, made
            shutdown.on_sigterm(made.stop)
        return _collectors[id(conf)][1]


def from_conf(conf: cfg.ConfigOpts, host: Host | None = None) -> Collector:
    """A collector for the host, if no other is given, and the period that conf names."""
    return Collector(
        host or libvirt_host.from_conf(conf),
        conf.libvirt.mem_stats_period_seconds,
        conf.memballoon.libvirt_timeout,
    )
