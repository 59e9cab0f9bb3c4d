# SPDX-License-Identifier: Apache-2.0
"""The data of this compute node's domains for Ceilometer's own code."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from oslo_config import cfg

from ceilometer_memballoon import collector_factory
from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.groups import STOPPED_GROUPS, Question
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.live_xml import LiveXml
from ceilometer_memballoon.reader import Snapshot
from ceilometer_memballoon.record import Record
from ceilometer_memballoon.snapshot_domain import BlockInfo
from ceilometer_memballoon.snapshots import ALL, Snapshots
from ceilometer_memballoon.xml_cache import XmlCache

#: Seconds that one question about one domain may take. Healthy domains answer in milliseconds.
CALL_SECONDS = 1.0
#: The share of the timeout for all questions that follow one snapshot.
CALLS_SHARE = 0.8


class Node:
    """The domains of this compute node, from the reads that the memory meters share.

    Every method that asks libvirt raises NoAnswerError. Several threads may use a Node.
    """

    def __init__(
        self,
        host: Host,
        collector: Collector,
        timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """timeout: the option [memballoon] libvirt_timeout, in seconds."""
        self._host = host
        self._collector = collector
        self._timeout = timeout
        self._monotonic = monotonic
        self._stopped = Snapshots(self._read_stopped, collector.longest_cycle, monotonic)
        self._xmls = XmlCache(self._read_xml, monotonic)
        self._read_ended: float | None = None
        self._left = timeout * CALLS_SHARE

    def record(self, question: Question, uuid: str, *, stopped: bool) -> Record | None:
        """Return the record that answers the question about a domain; None if there is none.

        stopped: whether a shut-off domain counts.
        """
        snapshot = self._collector.snapshots.get(question, uuid)
        if uuid in snapshot.records or not stopped:
            return snapshot.records.get(uuid)
        return self._stopped.get(question, uuid).records.get(uuid)

    def memory(self, record: Record) -> dict[str, int]:
        """Return the statistics that may become samples, in KiB by virDomainMemoryStats' names."""
        reading = self._collector.judge(record)
        found = {**reading.host, **reading.guest}
        if "last_update" not in record.stats:
            # The bulk statistics also have the memory of a domain without a balloon.
            found.pop("actual", None)
        return found

    def live_xml(self, record: Record, group: str) -> LiveXml | None:
        """Return the parts of the domain's XML; None if the domain cannot be asked for it."""
        return self._xmls.get(record, group)

    def block_info(self, record: Record, target: str) -> BlockInfo:
        """Return the sizes of a disk. Also raises DomainGoneError, DomainError."""
        with self._call() as seconds:
            return self._host.block_info(record, target, seconds)

    def all_domains(self) -> list[tuple[Record, LiveXml | None]]:
        """Return all domains, also shut-off ones, and the parts of their XML."""
        with self._collector.snapshots.exclusive():
            listed = self._host.list_all(min(CALL_SECONDS, self._timeout))
        if self._xmls.is_due(listed):
            read = self._collector.snapshots.get(Question.DISCOVERY, ALL).records
            listed = [read.get(one.uuid, one) for one in listed]
            self._xmls.refresh(listed)
        return [(record, self._xmls.kept(record)) for record in listed]

    def _read_xml(self, record: Record) -> str:
        with self._call() as seconds:
            return self._host.live_xml(record, seconds)

    def _read_stopped(self, groups: int) -> Snapshot:
        with self._call() as seconds:
            records = self._host.read_stopped(STOPPED_GROUPS, seconds)
        return Snapshot({one.uuid: one for one in records}, groups, self._monotonic())

    @contextlib.contextmanager
    def _call(self) -> Iterator[float]:
        """Lock out other threads. Yield how many seconds one call may take."""
        with self._collector.snapshots.exclusive():
            if self._collector.snapshots.ended != self._read_ended:
                self._read_ended = self._collector.snapshots.ended
                self._left = self._timeout * CALLS_SHARE
            if self._left <= 0:
                raise NoAnswerError("the questions about single domains took too long")
            begun = self._monotonic()
            try:
                yield min(CALL_SECONDS, self._left)
            finally:
                self._left -= self._monotonic() - begun


_nodes: dict[int, tuple[Collector, Node]] = {}
_nodes_lock = threading.Lock()


def shared(conf: cfg.ConfigOpts) -> Node:
    """Return the node that all pollsters and discoveries with this configuration share."""
    collector = collector_factory.shared(conf)
    with _nodes_lock:
        if id(collector) not in _nodes:
            made = Node(collector.host, collector, conf.memballoon.libvirt_timeout)
            _nodes[id(collector)] = collector, made
        return _nodes[id(collector)][1]
