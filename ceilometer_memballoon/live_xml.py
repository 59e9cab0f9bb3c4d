# SPDX-License-Identifier: Apache-2.0
"""The parts of a domain's live XML that Ceilometer reads, and their devices."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from ceilometer_memballoon.domain_xml import parse

#: The XPath of the devices whose XML Ceilometer reads, by group of statistics.
DEVICES = {"block": "./devices/disk", "net": "./devices/interface"}

#: The fields of libvirt's bulk statistics that show a change of a device.
MARKS = {"block": ("name", "path", "backingIndex"), "net": ("name",)}

#: A set of devices, as bulk statistics show it.
Marks = tuple[tuple[object, ...], ...]


@dataclasses.dataclass(frozen=True)
class Device:
    """A disk or an interface. target: its name in libvirt's statistics. xml: its element."""

    target: str
    xml: str


@dataclasses.dataclass(frozen=True)
class LiveXml:
    """Parts of the live XML of one boot of one domain.

    identity: A domain element with only the metadata and the os element.
    devices: Devices by group of statistics, "block" and "net".
    marks: The devices as the statistics showed them just before the XML was read. Groups that were
        not read are missing.
    taken: When the XML was read, in monotonic seconds.
    """

    identity: str
    devices: Mapping[str, tuple[Device, ...]]
    marks: Mapping[str, Marks]
    taken: float

    def has(self, group: str, fields: Mapping[str, Any]) -> bool:
        """Return whether the devices of the group are the same as in these fields."""
        return self.marks.get(group) == marks_of(group, fields)


def marks_of(group: str, fields: Mapping[str, Any]) -> Marks | None:
    """Return the devices of the group in a record's fields; None if the group was not read."""
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
    """Return the parts of a domain's live XML that Ceilometer reads. Raises DomainError."""
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
