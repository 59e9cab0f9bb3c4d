# SPDX-License-Identifier: Apache-2.0
"""The parts of a domain's live XML that Ceilometer reads, and the devices that they describe."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from ceilometer_memballoon.domain_xml import parse

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
