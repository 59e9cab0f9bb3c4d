# SPDX-License-Identifier: Apache-2.0
"""Keep the statistics periods of the domains as the configuration wants them."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Container, Iterator, Sequence

from ceilometer_memballoon.domain_xml import DomainFacts, parse_domain
from ceilometer_memballoon.errors import (
    DomainGoneError,
    NoAnswerError,
    StoppedError,
    TooManyStuckCallsError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Boot, Record
from ceilometer_memballoon.writer import Writer

#: Seconds for which a host or a domain that refused a write is not asked again. Each
#: attempt is an error in libvirtd's own log.
REFUSAL_SECONDS = 600
#: Refusals without a success after which the whole host is taken to refuse.
MOST_REFUSALS = 3
#: Seconds for which a domain that gave no answer, or an error, is left alone.
RETRY_SECONDS = 60
#: Seconds that one question about one domain may take. Healthy ones take milliseconds.
CALL_SECONDS = 1.0

#: Subjects of log messages, besides boots of domains.
LIBVIRT = "libvirt"
WRITE_ACCESS = "write access"
REFUSED = (
    "Statistics periods cannot be set: %s. Allow the agent's user to write to libvirt, "
    "or set [libvirt] mem_stats_period_seconds in nova.conf and hard-reboot the instances. "
    "Guests that have a period are collected all the same."
)
REFUSED_ALONE = "Statistics period of instance %s cannot be set: %s"

Refusal = tuple[Record, WriteRefusedError]


class Attempt:
    """Sets periods until ``end``, in monotonic seconds, over one connection.

    The connection is opened when it is needed first, and closed with the attempt. done:
    uuids of the domains that were set. refusals: the domains that refused.
    """

    def __init__(self, host: Host, end: float) -> None:
        self.end = end
        self.done: set[str] = set()
        self.refusals: list[Refusal] = []
        self._host = host
        self._writer: Writer | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def open_writer(self, seconds: float) -> Writer:
        """The connection. Raises NoAnswerError, WriteRefusedError."""
        if self._writer is None:
            self._writer = self._open.enter_context(self._host.writer(seconds))
        return self._writer


class PeriodKeeper:
    """Knows what each domain's XML says, and sets the periods that have to change."""

    def __init__(
        self, host: Host, rule: PeriodRule, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """rule: which periods have to change."""
        self._host = host
        self._rule = rule
        self._monotonic = monotonic
        self._problems = ProblemLog()
        self._facts: dict[Boot, DomainFacts] = {}
        self._asked: dict[Boot, float] = {}
        self._not_before: dict[Boot, float] = {}
        self._refused_until = 0.0

    def facts(self, record: Record) -> DomainFacts | None:
        """What the domain's XML said when it was last read; None if it was not read yet."""
        return self._facts.get(record.boot)

    def expected(self, record: Record) -> int:
        """Seconds between two reports of the guest, 0 if it is not to report or not known.

        A period that the guest has counts. The option's counts until the XML was read.
        """
        facts = self.facts(record)
        if facts is not None:
            return facts.balloon.period
        return self._rule.period if self._rule.is_usable else 0

    def ensure(
        self,
        running: Sequence[Record],
        suspects: Container[str],
        end: float,
        *,
        enable: bool = True,
    ) -> set[str]:
        """Set the periods that have to change. Returns the uuids of the domains set now.

        running: all running domains; only those that were read in this cycle are asked.
        suspects: uuids of those whose XML has to be read again, because their guests do
        not report as they should. enable: False only reads the XML. Nothing is begun
        after ``end``, in monotonic seconds. The domains that were left out come first in
        the next cycle.
        """
        self._forget_all_but(running)
        attempt = Attempt(self._host, end)
        try:
            with attempt:
                for record in self._in_order(running):
                    if self._monotonic() >= end or not self._host.has_spare_place:
                        break
                    if self._has_to_be_seen(record, suspects):
                        self._read_facts(record, end)
                    if enable and self._has_to_be_set(record):
                        self._set(record, attempt)
        except NoAnswerError as error:
            self._problems.log(LIBVIRT, logging.WARNING, "Periods not checked: %s", error)
        else:
            self._problems.clear(LIBVIRT)
        self._conclude(attempt)
        return attempt.done

    def _in_order(self, running: Sequence[Record]) -> list[Record]:
        """Return the domains that were read and are due, the longest waiting first."""
        return sorted(
            (record for record in running if record.is_read and self._is_due(record)),
            key=lambda record: self._asked.get(record.boot, 0.0),
        )

    def _forget_all_but(self, running: Sequence[Record]) -> None:
        boots = {record.boot for record in running}
        for known in (self._facts, self._asked, self._not_before):
            for boot in known.keys() - boots:
                del known[boot]
        self._problems.forget_all_but({LIBVIRT, WRITE_ACCESS, *boots})

    def _is_due(self, record: Record) -> bool:
        return self._monotonic() >= self._not_before.get(record.boot, 0.0)

    def _has_to_be_seen(self, record: Record, suspects: Container[str]) -> bool:
        facts = self.facts(record)
        # A balloon device cannot be plugged in later.
        return facts is None or (facts.balloon.is_virtio and record.uuid in suspects)

    def _has_to_be_set(self, record: Record) -> bool:
        if self._monotonic() < self._refused_until or not self._is_due(record):
            return False
        facts = self.facts(record)
        return facts is not None and self._rule.changes(facts)

    def _read_facts(self, record: Record, end: float) -> None:
        with self._trouble_with(record, "Live XML of instance %s cannot be read: %s"):
            xml = self._host.live_xml(record, self._seconds(end))
            self._facts[record.boot] = parse_domain(xml)

    def _set(self, record: Record, attempt: "Attempt") -> None:
        message = "Statistics period of instance %s cannot be set: %s"
        with self._trouble_with(record, message, attempt.refusals):
            # Setting waits behind a migration, save or backup.
            if self._host.has_job(record, self._seconds(attempt.end)):
                return
            try:
                writer = attempt.open_writer(self._seconds(attempt.end))
            except WriteRefusedError as error:
                self._refuse(error)
                return
            writer.set_period(record, self._rule.period, self._seconds(attempt.end))
            self._facts[record.boot] = _with_period(self._facts[record.boot], self._rule.period)
            attempt.done.add(record.uuid)
        if attempt.refusals and not attempt.done and len(attempt.refusals) >= MOST_REFUSALS:
            self._refuse(attempt.refusals[-1][1])

    def _conclude(self, attempt: "Attempt") -> None:
        """Distinguish a host that refuses all writes from domains that refuse theirs."""
        if attempt.done:
            self._problems.clear(WRITE_ACCESS, "Statistics periods can be set again.")
            for record, error in attempt.refusals:
                self._problems.log(record.boot, logging.WARNING, REFUSED_ALONE, record.uuid, error)
        elif attempt.refusals:
            self._refuse(attempt.refusals[-1][1])

    def _refuse(self, error: WriteRefusedError) -> None:
        self._refused_until = self._monotonic() + REFUSAL_SECONDS
        self._problems.log(WRITE_ACCESS, logging.WARNING, REFUSED, error)

    def _seconds(self, end: float) -> float:
        return max(min(CALL_SECONDS, end - self._monotonic()), 0.05)

    @contextlib.contextmanager
    def _trouble_with(
        self, record: Record, message: str, refusals: "list[Refusal] | None" = None
    ) -> Iterator[None]:
        """Log one domain's trouble, and leave the domain alone for a while.

        refusals: where a refused write is noted.
        """
        self._asked[record.boot] = self._monotonic()
        try:
            yield
        except DomainGoneError as error:
            self._problems.log(record.boot, logging.DEBUG, message, record.uuid, error)
        except StoppedError:
            raise
        except WriteRefusedError as error:
            self._not_before[record.boot] = self._monotonic() + REFUSAL_SECONDS
            if refusals is not None:
                refusals.append((record, error))
        except (UnreachableError, TooManyStuckCallsError):
            raise
        except Exception as error:
            # A failure at one domain must not affect the others.
            self._not_before[record.boot] = self._monotonic() + RETRY_SECONDS
            self._problems.log(record.boot, logging.WARNING, message, record.uuid, error)
        else:
            self._problems.clear(record.boot)


def _with_period(facts: DomainFacts, period: int) -> DomainFacts:
    return dataclasses.replace(facts, balloon=dataclasses.replace(facts.balloon, period=period))
