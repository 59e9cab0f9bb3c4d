# SPDX-License-Identifier: Apache-2.0
"""Decide whether a domain's statistics period needs setting, and have it set."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Container, Iterator, Sequence

from ceilometer_memballoon.domain_xml import Balloon, parse_balloon
from ceilometer_memballoon.errors import (
    DomainError,
    DomainGoneError,
    NoAnswerError,
    WriteRefusedError,
)
from ceilometer_memballoon.host import Host, Record, Writer
from ceilometer_memballoon.problem_log import ProblemLog

#: Seconds for which a host that refused to write is not asked again: each attempt
#: is an error in libvirtd's own log.
REFUSAL_SECONDS = 600

#: What the log's messages may be about, besides a boot of a domain.
LIBVIRT = "libvirt"
WRITE_ACCESS = "write access"
REFUSED = (
    "Statistics periods cannot be set: %s. Allow the agent's user to write to libvirt, "
    "or set [libvirt] mem_stats_period_seconds in nova.conf and hard-reboot the instances. "
    "Guests that have a period are collected all the same."
)


class PeriodKeeper:
    """Keeps the domains' periods at the option's value, and remembers their balloons."""

    def __init__(
        self, host: Host, period: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """period: the option's value in seconds; at zero or below no guest is changed."""
        self._host = host
        self._period = period
        self._monotonic = monotonic
        self._problems = ProblemLog()
        self._balloons: dict[tuple[str, int], Balloon] = {}
        self._refused: set[tuple[str, int]] = set()
        self._refused_until = 0.0

    def balloon(self, record: Record) -> Balloon | None:
        """The domain's balloon as last seen, None as long as it is not known."""
        return self._balloons.get(record.boot)

    def expected(self, record: Record) -> int:
        """Seconds there ought to be between two reports: the option's, else the domain's own."""
        balloon = self.balloon(record)
        return self._period if self._period > 0 or balloon is None else balloon.period

    def ensure(
        self,
        records: Sequence[Record],
        suspects: Container[str],
        end: float,
        *,
        enable: bool = True,
    ) -> set[str]:
        """Set the periods that differ from the option's; the uuids of those set now.

        Looked at are domains not seen since they booted, and the suspects, given by
        uuid; with enable at False that is all. Nothing is begun after the end, a
        monotonic time: the rest is for the next cycle, as is all that libvirt does not
        answer.
        """
        self._forget_all_but(records)
        done: set[str] = set()
        try:
            for record in records:
                if self._monotonic() < end and self._is_to_be_seen(record, suspects):
                    self._look(record)
            wanting = [record for record in records if enable and self._differs(record)]
            if wanting and self._monotonic() >= self._refused_until:
                self._set_all(wanting, end, done)
        except NoAnswerError as error:
            self._problems.log(LIBVIRT, logging.WARNING, "Periods not checked: %s", error)
        else:
            self._problems.clear(LIBVIRT)
        return done

    def _forget_all_but(self, records: Sequence[Record]) -> None:
        boots = {record.boot for record in records}
        self._balloons = {boot: b for boot, b in self._balloons.items() if boot in boots}
        self._refused &= boots
        self._problems.forget_all_but({LIBVIRT, WRITE_ACCESS, *boots})

    def _is_to_be_seen(self, record: Record, suspects: Container[str]) -> bool:
        known = self.balloon(record)
        # A balloon device cannot be plugged in later.
        return known is None or (known.is_virtio and record.uuid in suspects)

    def _look(self, record: Record) -> None:
        with self._trouble_with(record, "Live XML of %s cannot be read: %s"):
            self._balloons[record.boot] = parse_balloon(self._host.live_xml(record))

    def _differs(self, record: Record) -> bool:
        """Whether the domain is to be set; not one that would have to be waited for."""
        balloon = self.balloon(record)
        return (
            self._period > 0
            and not record.busy
            and balloon is not None
            and balloon.is_virtio
            and balloon.period != self._period
        )

    def _set_all(self, records: Sequence[Record], end: float, done: set[str]) -> None:
        # Setting takes a MODIFY job, which waits behind a migration, save or backup.
        free = [record for record in records if not self._has_job(record)]
        if not free:
            return
        # libvirt's access control can refuse one domain alone: the others come first.
        free.sort(key=lambda record: record.boot in self._refused)
        try:
            with self._host.writer() as writer:
                for record in free:
                    if self._monotonic() < end and self._set(writer, record):
                        done.add(record.uuid)
        except WriteRefusedError as error:
            self._refused_until = self._monotonic() + REFUSAL_SECONDS
            self._problems.log(WRITE_ACCESS, logging.WARNING, REFUSED, error)
        else:
            self._problems.clear(WRITE_ACCESS, "Statistics periods can be set again.")

    def _has_job(self, record: Record) -> bool:
        with self._trouble_with(record, "Jobs of %s cannot be read: %s"):
            return self._host.has_job(record)
        return True

    def _set(self, writer: Writer, record: Record) -> bool:
        with self._trouble_with(record, "Statistics period of %s cannot be set: %s"):
            try:
                writer.set_period(record, self._period)
            except WriteRefusedError:
                self._refused.add(record.boot)
                raise
            known = self._balloons[record.boot]
            self._balloons[record.boot] = dataclasses.replace(known, period=self._period)
            return True
        return False

    @contextlib.contextmanager
    def _trouble_with(self, record: Record, message: str) -> Iterator[None]:
        """One domain's trouble is logged and goes no further."""
        try:
            yield
        except DomainGoneError as error:
            self._problems.log(record.boot, logging.DEBUG, message, record.uuid, error)
        except DomainError as error:
            self._problems.log(record.boot, logging.WARNING, message, record.uuid, error)
        else:
            self._problems.clear(record.boot)
