# SPDX-License-Identifier: Apache-2.0
"""Answer Ceilometer's own libvirt pollsters from the reads that the memory meters share."""

import functools
import logging
from collections.abc import Iterator
from typing import Any

from ceilometer.compute.virt import inspector as virt_inspector
from oslo_config import cfg

from ceilometer_memballoon.disk_sizes import DiskSizes
from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.groups import Question
from ceilometer_memballoon.instance_stats import PERF_FIELDS, ReadStats
from ceilometer_memballoon.live_xml import Device
from ceilometer_memballoon.node import Node
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Record
from ceilometer_memballoon.snapshot_domain import SnapshotDomain
from ceilometer_memballoon.stock_inspector import StockInspector

#: Subjects of log messages.
LIBVIRT = "libvirt"

#: A statistic that a device has if its counters are there, and one that a disk has if it is not
#: empty.
COUNTERS = {"block": "rd.times", "net": "tx.drop"}
SIZE = "capacity"

#: The attributes of InstanceStats from libvirt's info, and their names in bulk statistics.
PROCESSOR_FIELDS = {"cpu_number": "vcpu.current", "cpu_time": "cpu.time"}


class Inspector(virt_inspector.Inspector):  # type: ignore[misc]
    """Has the methods of Ceilometer's inspector that its pollsters call.

    Ceilometer's own inspector makes each answer from a snapshot. A guest that could not be read
    raises InstanceNotFoundException, which the pollsters log at DEBUG. No method asks libvirt
    without a deadline, and the constructor does not ask it at all.
    """

    def __init__(self, conf: cfg.ConfigOpts, node: Node) -> None:
        super().__init__(conf)
        self._node = node
        self._sizes = DiskSizes(node.block_info)
        self._problems = ProblemLog()
        # The last counters of each interface, for its deltas.
        self._deltas: dict[str, Any] = {}

    def inspect_instance(self, instance: Any, duration: Any = None) -> ReadStats:
        """Return state, processors and memory, without values that are not known."""
        record = self._record(Question.INSTANCE, instance)
        domain = SnapshotDomain(record, self._node.memory(record))
        stats = self._stock(domain).inspect_instance(instance, duration)
        if record.is_active:
            # libvirt's info cannot express a missing number, and a 0 would look like a value.
            for name in PROCESSOR_FIELDS.keys() - _known(record):
                setattr(stats, name, None)
        # Four pollsters may ask for perf events, and one read serves all.
        return ReadStats(stats, functools.cache(lambda: self._perf(instance)))

    def inspect_vnics(self, instance: Any, duration: Any) -> Iterator[Any]:
        """Yield the counters of each interface that has a device on the host."""
        record = self._record(Question.VNICS, instance, stopped=False)
        domain = SnapshotDomain(record, {}, self._devices(record, "net", COUNTERS["net"]))
        yield from self._stock(domain).inspect_vnics(instance, duration)

    def inspect_disks(self, instance: Any, duration: Any) -> Iterator[Any]:
        """Yield the counters of each disk that has a source."""
        record = self._record(Question.DISKS, instance, stopped=False)
        domain = SnapshotDomain(record, {}, self._devices(record, "block", COUNTERS["block"]))
        yield from self._stock(domain).inspect_disks(instance, duration)

    def inspect_disk_info(self, instance: Any, duration: Any) -> Iterator[Any]:
        """Yield the sizes of each disk that has a source."""
        record = self._record(Question.DISK_INFO, instance)
        devices = self._devices(record, "block", SIZE)
        try:
            sizes = self._sizes.get(record, [device.target for device in devices])
        except NoAnswerError as error:
            raise unread_error(instance.id, str(error)) from error
        sized = [device for device in devices if device.target in sizes]
        domain = SnapshotDomain(record, {}, sized, sizes.get)
        yield from self._stock(domain).inspect_disk_info(instance, duration)

    def _stock(self, domain: SnapshotDomain) -> StockInspector:
        return StockInspector(self.conf, domain, self._deltas)

    def _record(self, question: Question, instance: Any, *, stopped: bool = True) -> Record:
        """Return the instance's complete record. stopped: whether a shut-off domain counts."""
        try:
            record = self._node.record(question, instance.id, stopped=stopped)
        except NoAnswerError as error:
            self._problems.log(
                LIBVIRT, logging.WARNING, "No statistics for Ceilometer's meters: %s", error
            )
            raise unread_error(instance.id, str(error)) from error
        self._problems.clear(LIBVIRT, "There are statistics for Ceilometer's meters again.")
        if record is None:
            raise unread_error(instance.id, "it has no running domain on this host")
        if not record.is_read:
            raise unread_error(instance.id, record.outcome.name)
        return record

    def _devices(self, record: Record, group: str, statistic: str) -> list[Device]:
        """Return the disks or interfaces of which the record has that statistic."""
        try:
            xml = self._node.live_xml(record, group)
        except NoAnswerError as error:
            raise unread_error(record.uuid, str(error)) from error
        names = {
            record.fields.get(f"{group}.{number}.name")
            for number in range(record.fields.get(f"{group}.count", 0))
            if f"{group}.{number}.{statistic}" in record.fields
        }
        return [one for one in xml.devices[group] if one.target in names] if xml else []

    def _perf(self, instance: Any) -> dict[str, int | None]:
        """Return the counters of perf events; None where the domain does not count them."""
        fields = self._record(Question.PERF, instance, stopped=False).fields
        return {name: fields.get(field) for name, field in PERF_FIELDS.items()}


def _known(record: Record) -> set[str]:
    """Return the attributes of PROCESSOR_FIELDS whose fields the record has."""
    return {name for name, field in PROCESSOR_FIELDS.items() if field in record.fields}


def unread_error(uuid: str, reason: str) -> virt_inspector.InstanceNotFoundException:
    """Return the error that Ceilometer's pollsters log at DEBUG."""
    return virt_inspector.InstanceNotFoundException(f"instance {uuid} was not read: {reason}")
