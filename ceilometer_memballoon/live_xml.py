# SPDX-License-Identifier: Apache-2.0
"""Keep what the live XML says of running domains, and read it again when it may have changed."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lxml import etree

from ceilometer_memballoon.domain_xml import parse
from ceilometer_memballoon.errors import DomainError, DomainGoneError
from ceilometer_memballoon.record import Boot, Record

#: Seconds after which the XML of a domain is read again. Nova rewrites the metadata of a
#: running domain, and an interface's filter or bridge can change.
REFRESH_SECONDS = 600.0
#: Seconds after which XML that was not read again is forgotten.
FORGET_SECONDS = 86400.0
#: One domain in so many is read again for its age in one cycle, so that not all of a
#: host's domains are read in the same cycle.
REFRESH_SHARE = 16

#: The elements of a device that Ceilometer reads, by the path of the device.
DEVICES = {"block": "./devices/disk", "net": "./devices/interface"}

#: The fields by which a change of a device shows in libvirt's bulk statistics.
MARKS = {"block": ("name", "path", "backingIndex"), "net": ("name",)}

#: A set of devices as bulk statistics show it.
Marks = tuple[tuple[object, ...], ...]


@dataclasses.dataclass(frozen=True)
class Device:
    """A disk or an interface. target: its name in libvirt's statistics. xml: its element."""

    target: str
    xml: str


@dataclasses.dataclass(frozen=True)
class LiveXml:
    """What the live XML of one boot of one domain said.

    identity: a domain element with the metadata and the os element alone. devices: by
    group of statistics, "block" and "net". marks: the devices as the statistics
    showed them just before the XML was read; without a group that was not read. taken:
    when the XML was read, in seconds of the monotonic clock.
    """

    identity: str
    devices: Mapping[str, tuple[Device, ...]]
    marks: Mapping[str, Marks]
    taken: float

    def has(self, group: str, fields: Mapping[str, Any]) -> bool:
        """Whether the devices of the group are still those that the fields show."""
        return self.marks.get(group) == marks_of(group, fields)


class LiveXmls:
    """The live XML of each running domain, by boot."""

    def __init__(
        self, read: Callable[[Record], str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """read: the live XML; raises NoAnswerError, DomainGoneError, DomainError."""
        self._read = read
        self._monotonic = monotonic
        self._kept: dict[Boot, LiveXml] = {}

    def kept(self, record: Record) -> LiveXml | None:
        """What was read in this boot, however old."""
        return self._kept.get(record.boot)

    def get(self, record: Record, group: str) -> LiveXml | None:
        """The domain's XML, read now if its devices have changed; None if it is not available.

        record: a domain that was just read, or one that does not run, whose XML is read
        again by age. Raises NoAnswerError.
        """
        kept = self._kept.get(record.boot)
        is_young = record.is_active or self._age(record) < REFRESH_SECONDS
        if kept is not None and is_young and kept.has(group, record.fields):
            return kept
        return self._try(record)

    def refresh(self, records: Iterable[Record]) -> None:
        """Read the XML of the domains that are new, and of some that are old.

        records: all running domains. Only those that were just read are asked. Raises
        NoAnswerError.
        """
        every = list(records)
        self._kept = {one.boot: self._kept[one.boot] for one in every if one.boot in self._kept}
        for record in self._due(every):
            self._try(record)

    def is_due(self, records: Iterable[Record]) -> bool:
        """Whether refresh() would read something if it were allowed to ask all of these."""
        return any(self._age(record) > REFRESH_SECONDS for record in records)

    def _forget_departed(self) -> None:
        # refresh() does it, but only the discovery calls that.
        limit = self._monotonic() - FORGET_SECONDS
        self._kept = {boot: kept for boot, kept in self._kept.items() if kept.taken > limit}

    def _due(self, records: list[Record]) -> list[Record]:
        # No other job can hold a domain that does not run.
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


def marks_of(group: str, fields: Mapping[str, Any]) -> Marks | None:
    """The devices of the group in a record's fields; None if the group was not read."""
    count = fields.get(f"{group}.count")
    if count is None:
        return None
    return tuple(
        (
            *(fields.get(f"{group}.{number}.{mark}") for mark in MARKS[group]),
            # A drive without a disc has no capacity.
            f"{group}.{number}.capacity" in fields,
        )
        for number in range(count)
    )


def live_xml(xml: str, fields: Mapping[str, Any], taken: float) -> LiveXml:
    """Keep the parts of a domain's live XML that Ceilometer reads. Raises DomainError."""
    domain = parse(xml)
    identity = etree.Element("domain")
    identity.extend(domain.findall("./os") + domain.findall("./metadata"))
    marks = {group: marks_of(group, fields) for group in DEVICES}
    return LiveXml(
        identity=etree.tostring(identity, encoding="unicode"),
        devices={group: tuple(_devices(domain.findall(path))) for group, path in DEVICES.items()},
        marks={group: found for group, found in marks.items() if found is not None},
        taken=taken,
    )


def _devices(elements: Iterable[etree._Element]) -> Iterable[Device]:
    for element in elements:
        target = element.find("./target")
        if target is not None and target.get("dev"):
            yield Device(
                target.get("dev"), etree.tostring(element, encoding="unicode", with_tail=False)
            )
