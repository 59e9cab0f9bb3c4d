# SPDX-License-Identifier: Apache-2.0
"""Cache the live XML of running domains, and read it again when it may have changed."""

import time
from collections.abc import Callable, Iterable

from ceilometer_memballoon.errors import DomainError, DomainGoneError
from ceilometer_memballoon.live_xml import LiveXml, live_xml
from ceilometer_memballoon.record import Boot, Record

#: Seconds after which a domain's XML is read again. Nova rewrites the metadata of a running domain,
#: and an interface's filter or bridge can change.
REFRESH_SECONDS = 600.0
#: Seconds after which XML that was not read again is forgotten.
FORGET_SECONDS = 86400.0
#: In each cycle, one in this many domains is read again because of its age. So not all domains of a
#: host are read in the same cycle.
REFRESH_SHARE = 16


class XmlCache:
    """The live XML of each running domain, by boot."""

    def __init__(
        self, read: Callable[[Record], str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """read: returns the live XML; raises NoAnswerError, DomainGoneError, DomainError."""
        self._read = read
        self._monotonic = monotonic
        self._kept: dict[Boot, LiveXml] = {}

    def kept(self, record: Record) -> LiveXml | None:
        """Return what was read in this boot, however old."""
        return self._kept.get(record.boot)

    def get(self, record: Record, group: str) -> LiveXml | None:
        """Return the domain's XML; None if it is not available. Read it if its devices changed.

        record: a domain that was just read, or one that does not run. The XML of the latter is
            read again by age. Raises NoAnswerError.
        """
        kept = self._kept.get(record.boot)
        is_young = record.is_active or self._age(record) < REFRESH_SECONDS
        if kept is not None and is_young and kept.has(group, record.fields):
            return kept
        return self._try(record)

    def refresh(self, records: Iterable[Record]) -> None:
        """Read the XML of new domains, and of some with old XML.

        records: all running domains. Only those that were just read are asked. Raises
            NoAnswerError.
        """
        every = list(records)
        self._kept = {one.boot: self._kept[one.boot] for one in every if one.boot in self._kept}
        for record in self._due(every):
            self._try(record)

    def is_due(self, records: Iterable[Record]) -> bool:
        """Return whether refresh() would read something if it could ask all of these domains."""
        return any(self._age(record) > REFRESH_SECONDS for record in records)

    def _forget_departed(self) -> None:
        # refresh() also does this, but only the discovery calls it.
        limit = self._monotonic() - FORGET_SECONDS
        self._kept = {boot: kept for boot, kept in self._kept.items() if kept.taken > limit}

    def _due(self, records: list[Record]) -> list[Record]:
        # No job can hold a domain that does not run.
        readable = [record for record in records if record.is_read or not record.is_active]
        new = [record for record in readable if record.boot not in self._kept]
        old = [
            record
            for record in readable
            if record.boot in self._kept and self._age(record) > REFRESH_SECONDS
        ]
        old.sort(key=self._age, reverse=True)
        return new + old[: max(1, len(records) // REFRESH_SHARE)]

    def _age(self, record: Record) -> float:
        kept = self._kept.get(record.boot)
        return float("inf") if kept is None else self._monotonic() - kept.taken

    def _try(self, record: Record) -> LiveXml | None:
        try:
            xml = self._read(record)
            if record.boot not in self._kept:
                self._forget_departed()
            self._kept[record.boot] = live_xml(xml, record.fields, self._monotonic())
        except (DomainGoneError, DomainError):
            return None
        return self._kept[record.boot]
