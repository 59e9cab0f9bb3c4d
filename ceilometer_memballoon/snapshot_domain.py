# SPDX-License-Identifier: Apache-2.0
"""A stand-in for libvirt that answers Ceilometer's inspector from a snapshot.

Ceilometer's own code runs on it, so that the results are the same as from libvirt in each
release. No method asks libvirt.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.live_xml import Device
from ceilometer_memballoon.record import Record

#: The last field of virDomainBlockStats. QEMU's driver does not count errors.
NO_ERRORS = -1

#: Capacity, allocation and physical size of a disk in bytes, as virDomainGetBlockInfo defines them.
BlockInfo = tuple[int, int, int]


class SnapshotDomain:
    """A domain, and the connection to it, in a snapshot.

    It has the methods that Ceilometer's LibvirtInspector calls, with the names of libvirt's
    binding.
    """

    def __init__(
        self,
        record: Record,
        memory: Mapping[str, int],
        devices: Iterable[Device] = (),
        block_info: Callable[[str], BlockInfo | None] = lambda target: None,
    ) -> None:
        """memory: Statistics to report in KiB, by virDomainMemoryStats' names.

        devices: The disks or interfaces to report.
        block_info: Returns the sizes of a disk by its target.
        """
        self._record = record
        self._fields = record.fields
        self._memory = memory
        self._devices = tuple(devices)
        self._block_info = block_info
        self._places = {
            (group, self._fields.get(f"{group}.{number}.name")): f"{group}.{number}."
            for group in ("block", "net")
            for number in range(self._fields.get(f"{group}.count", 0))
        }

    def info(self) -> list[int]:
        """Return state, maximum and current memory (KiB), processors and processor time (ns)."""
        fields = self._fields
        return [
            self._record.state,
            fields.get("balloon.maximum", 0),
            fields.get("balloon.current", 0),
            fields.get("vcpu.current", 0),
            fields.get("cpu.time", 0),
        ]

    def XMLDesc(self, flags: int = 0) -> str:  # noqa: N802
        """Return the XML of the devices that have statistics."""
        found = "".join(device.xml for device in self._devices)
        return f"<domain><devices>{found}</devices></domain>"

    def memoryStats(self) -> dict[str, int]:  # noqa: N802
        """Return the memory statistics in KiB."""
        return dict(self._memory)

    def domainListGetStats(  # noqa: N802
        self, domains: list[Any], stats: int = 0, flags: int = 0
    ) -> list[tuple[Any, dict[str, Any]]]:
        """Return the bulk statistics of this domain."""
        return [(self, dict(self._fields))]

    def blockStats(self, target: str) -> tuple[int, ...]:  # noqa: N802
        """Return requests and bytes read, requests and bytes written, and errors."""
        names = ("rd.reqs", "rd.bytes", "wr.reqs", "wr.bytes")
        return (*self._values("block", target, names), NO_ERRORS)

    def blockStatsFlags(self, target: str, flags: int = 0) -> dict[str, int]:  # noqa: N802
        """Return the times of reading and writing in ns."""
        read, write = self._values("block", target, ("rd.times", "wr.times"))
        return {"rd_total_times": read, "wr_total_times": write}

    def interfaceStats(self, target: str) -> tuple[int, ...]:  # noqa: N802
        """Return bytes, packets, errors and drops received, and the same sent."""
        kinds = ("bytes", "pkts", "errs", "drop")
        return self._values("net", target, [f"{way}.{k}" for way in ("rx", "tx") for k in kinds])

    def blockInfo(self, target: str) -> BlockInfo:  # noqa: N802
        """Return the disk's sizes in bytes."""
        found = self._block_info(target)
        if found is None:
            raise libvirt.libvirtError(f"no sizes of {target}")
        return found

    def _values(self, group: str, target: str, names: Iterable[str]) -> tuple[int, ...]:
        place = self._places.get((group, target), "")
        try:
            return tuple(self._fields[place + name] for name in names)
        except KeyError as error:
            raise libvirt.libvirtError(f"no statistics {error} of {target}") from error
