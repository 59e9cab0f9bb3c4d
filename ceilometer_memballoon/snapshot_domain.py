# SPDX-License-Identifier: Apache-2.0
"""A stand-in for libvirt that answers Ceilometer's inspector from what has been read.

Ceilometer's own code is run on it, so that what it makes of libvirt's answers is the
same in each of its releases. No method asks libvirt.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.live_xml import Device
from ceilometer_memballoon.record import Record

#: The rest of virDomainBlockStats: QEMU's driver does not count errors.
NO_ERRORS = -1

#: capacity, allocation and physical size of a disk, in bytes, as virDomainGetBlockInfo
#: defines them.
BlockInfo = tuple[int, int, int]


class SnapshotDomain:
    """A domain, and the connection to it, as a snapshot shows them.

    Has what Ceilometer's LibvirtInspector calls, under the names of libvirt's binding.
    """

    def __init__(
        self,
        record: Record,
        memory: Mapping[str, int],
        devices: Iterable[Device] = (),
        block_info: Callable[[str], BlockInfo | None] = lambda target: None,
    ) -> None:
        """memory: statistics under the names of virDomainMemoryStats, KiB, that may be reported.

        devices: the disks or interfaces to report. block_info: of a disk, by its target.
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
        """State, maximum and current memory in KiB, processors, processor time in ns."""
        fields = self._fields
        return [
            self._record.state,
            fields.get("balloon.maximum", 0),
            fields.get("balloon.current", 0),
            fields.get("vcpu.current", 0),
            fields.get("cpu.time", 0),
        ]

    def XMLDesc(self, flags: int = 0) -> str:  # noqa: N802
        """The XML of the devices, without those that the statistics lack."""
        found = "".join(device.xml for device in self._devices)
        return f"<domain><devices>{found}</devices></domain>"

    def memoryStats(self) -> dict[str, int]:  # noqa: N802
        """The memory statistics, KiB."""
        return dict(self._memory)

    def domainListGetStats(  # noqa: N802
        self, domains: list[Any], stats: int = 0, flags: int = 0
    ) -> list[tuple[Any, dict[str, Any]]]:
        """The bulk statistics of this domain."""
        return [(self, dict(self._fields))]

    def blockStats(self, target: str) -> tuple[int, ...]:  # noqa: N802
        """Requests and bytes read, requests and bytes written, errors."""
        names = ("rd.reqs", "rd.bytes", "wr.reqs", "wr.bytes")
        return (*self._values("block", target, names), NO_ERRORS)

    def blockStatsFlags(self, target: str, flags: int = 0) -> dict[str, int]:  # noqa: N802
        """The times of reading and writing, ns."""
        read, write = self._values("block", target, ("rd.times", "wr.times"))
        return {"rd_total_times": read, "wr_total_times": write}

    def interfaceStats(self, target: str) -> tuple[int, ...]:  # noqa: N802
        """Bytes, packets, errors and drops received, and the same sent."""
        kinds = ("bytes", "pkts", "errs", "drop")
        return self._values("net", target, [f"{way}.{k}" for way in ("rx", "tx") for k in kinds])

    def blockInfo(self, target: str) -> BlockInfo:  # noqa: N802
        """The disk's sizes in bytes."""
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
