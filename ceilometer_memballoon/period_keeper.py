# SPDX-License-Identifier: Apache-2.0
"""Keep the domains' statistics periods as the configuration says."""

import dataclasses
import logging
import time
from collections.abc import Callable, Container, Sequence

from ceilometer_memballoon.domain_xml import DomainFacts, parse_domain
from ceilometer_memballoon.errors import NoAnswerError, WriteRefusedError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Boot, Record
from ceilometer_memballoon.retries import Retries
from ceilometer_memballoon.write_access import WRITE_ACCESS, Attempt, WriteAccess

#: Seconds that one question about one domain may take. Healthy domains answer in milliseconds.
CALL_SECONDS = 1.0

#: A subject of log messages, besides write access and boots of domains.
LIBVIRT = "libvirt"


class PeriodKeeper:
    """Knows the facts of each domain's XML, and sets the periods that have to change."""

    def __init__(
        self, host: Host, rule: PeriodRule, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """rule: which periods have to change."""
        self._host = host
        self._rule = rule
        self._monotonic = monotonic
        self._problems = ProblemLog()
        self._retries = Retries(self._problems, monotonic)
        self._access = WriteAccess(self._problems, monotonic)
        self._facts: dict[Boot, DomainFacts] = {}

    def facts(self, record: Record) -> DomainFacts | None:
        """Return the facts of the domain's last read XML; None if it was not read yet."""
        return self._facts.get(record.boot)

    def expected(self, record: Record) -> int:
        """Return the expected seconds between two reports; 0 if none are expected or unknown.

        The guest's own period counts. Until its XML was read, the option's period counts.
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
        """Set the periods that have to change. Return the UUIDs of the domains set now.

        running: All running domains. Those that were not read are not asked.
        suspects: UUIDs of guests that do not report as they should. Their XML is read again.
        enable: False only reads the XML.
        end: When to stop starting calls, in monotonic seconds. The next cycle starts with the
            domains that were left out.
        """
        self._forget_all_but({record.boot for record in running})
        attempt = Attempt(self._host, end)
        try:
            with attempt:
                self._visit_all(running, suspects, attempt, enable=enable)
            self._problems.clear(LIBVIRT)
        except NoAnswerError as error:
            self._problems.log(LIBVIRT, logging.WARNING, "Cannot check the periods: %s", error)
        self._access.note_end(attempt)
        return attempt.done

    def _visit_all(
        self,
        running: Sequence[Record],
        suspects: Container[str],
        attempt: Attempt,
        *,
        enable: bool,
    ) -> None:
        for record in self._retries.in_order(running):
            if self._monotonic() >= attempt.end or not self._host.has_spare_call:
                return
            if self._has_to_be_seen(record, suspects):
                self._read_facts(record, attempt.end)
            if enable and self._has_to_be_set(record):
                self._set(record, attempt)

    def _forget_all_but(self, boots: set[Boot]) -> None:
        for boot in self._facts.keys() - boots:
            del self._facts[boot]
        self._retries.forget_all_but(boots)
        self._problems.forget_all_but({LIBVIRT, WRITE_ACCESS, *boots})

    def _has_to_be_seen(self, record: Record, suspects: Container[str]) -> bool:
        facts = self.facts(record)
        # A balloon device cannot be hotplugged.
        return facts is None or (facts.balloon.is_virtio and record.uuid in suspects)

    def _has_to_be_set(self, record: Record) -> bool:
        if self._access.is_refused or not self._retries.is_due(record):
            return False
        facts = self.facts(record)
        return facts is not None and self._rule.changes(facts)

    def _read_facts(self, record: Record, end: float) -> None:
        message = "Live XML of instance %s cannot be read: %s"
        with self._retries.handle_failures(record, message):
            xml = self._host.live_xml(record, self._seconds(end))
            self._facts[record.boot] = parse_domain(xml)

    def _set(self, record: Record, attempt: Attempt) -> None:
        message = "Statistics period of instance %s cannot be set: %s"
        with self._retries.handle_failures(record, message, attempt.refusals):
            # Setting a period would wait for a migration, save or backup.
            if self._host.has_job(record, self._seconds(attempt.end)):
                return
            try:
                writer = attempt.open_writer(self._seconds(attempt.end))
            except WriteRefusedError as error:
                self._access.refuse(error)
                return
            writer.set_period(record, self._rule.period, self._seconds(attempt.end))
            self._facts[record.boot] = _with_period(self._facts[record.boot], self._rule.period)
            attempt.done.add(record.uuid)
        self._access.note_step(attempt)

    def _seconds(self, end: float) -> float:
        return max(min(CALL_SECONDS, end - self._monotonic()), 0.05)


def _with_period(facts: DomainFacts, period: int) -> DomainFacts:
    return dataclasses.replace(facts, balloon=dataclasses.replace(facts.balloon, period=period))
