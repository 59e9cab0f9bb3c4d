# SPDX-License-Identifier: Apache-2.0
"""The libvirt of one host, and the questions that the plugin asks it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ceilometer.compute.virt.libvirt import utils as libvirt_utils
from oslo_config import cfg

from ceilometer_memballoon import answers, paired_read
from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.connection import connect
from ceilometer_memballoon.deadline import CallKinds, Calls, countdown
from ceilometer_memballoon.errors import DomainError, WriteRefusedError
from ceilometer_memballoon.pending_read import Read
from ceilometer_memballoon.read_connection import ReadConnection
from ceilometer_memballoon.record import Boot, Monitor, Record
from ceilometer_memballoon.writer import Writer

T = TypeVar("T")

#: Calls at the same time that libvirtd answers alone. This suffices for a list, a question about
#: monitors, a new connection and the closing of an old one.
MOST_DAEMON_CALLS = 4


class Host:
    """The libvirt that Ceilometer's options name. The first question opens the connection.

    Every method that asks libvirt raises NoAnswerError. The parameter ``seconds`` is the longest
    time to wait for the answer.
    """

    def __init__(self, uri: str, timeout: float, most_stuck: int = 4) -> None:
        """uri: libvirt's URI. timeout: seconds for closing. most_stuck: calls to guests at once."""
        self._uri = uri
        self._timeout = timeout
        self._usable_calls = max(most_stuck - 1, 1)
        self._calls = CallKinds(Calls(MOST_DAEMON_CALLS), Calls(most_stuck))
        self._connection = ReadConnection(self._calls, uri)
        # Without a handler libvirt prints each error to stderr as well as raising it.
        libvirt.registerErrorHandler(lambda context, error: None, None)

    @property
    def stuck_calls(self) -> int:
        """How many calls to guests of this process are stuck."""
        return self._calls.guests.stuck

    @property
    def has_spare_call(self) -> bool:
        """Whether one more call to a guest may get stuck without using the last free call."""
        return self.stuck_calls < self._usable_calls

    @property
    def is_connected(self) -> bool:
        """Whether the connection of the last question can be used again."""
        return self._connection.is_usable

    def stop(self) -> None:
        """Stop all waits for libvirt. Later questions raise StoppedError."""
        self._calls.stop()

    def close(self) -> None:
        """Close the connection, if libvirt answers in time."""
        self._connection.close(self._timeout)

    def list_domains(self, seconds: float) -> list[Record]:
        """Return all running domains with their states. No QEMU process is asked."""
        return self._connection.list_domains(seconds)

    def list_all(self, seconds: float) -> list[Record]:
        """Return all domains with their states, also shut-off ones. No QEMU process is asked."""
        found = self._connection.ask(lambda raw: answers.list_domains(raw, answers.ALL), seconds)
        return [record for record, _ in found]

    def read_stopped(self, groups: int, seconds: float) -> list[Record]:
        """Return the domains that are shut off. groups: VIR_DOMAIN_STATS_* flags without BLOCK."""
        return self._connection.ask(lambda raw: answers.read_stopped(raw, groups), seconds)

    def start_read(self, records: list[Record], groups: int, seconds: float) -> Read:
        """Start to read these domains' statistics. The read waits for no job.

        groups: VIR_DOMAIN_STATS_* flags.
        seconds: The longest time for opening a connection.
        """
        connection, listed = self._connection.listed(records, seconds)
        domains = [domain for _, domain in listed]
        call = connection.start(lambda raw: paired_read.read(raw, domains, groups))
        asked = paired_read.parts([boot for boot, _ in listed])
        return Read(records, asked, call, connection)

    def monitors(self, records: Iterable[Record], seconds: float) -> dict[Boot, Monitor]:
        """Return what holds each of these domains. Takes no job and asks no QEMU process.

        Domains that libvirt did not answer for in time are left out.
        """
        return self._connection.ask_each(records, answers.monitors, seconds)

    def nova_metadata(self, records: Iterable[Record], seconds: float) -> dict[Boot, str]:
        """Return Nova's metadata of each domain. Takes no job and asks no QEMU process.

        Domains without Nova's metadata are left out, and those that libvirt did not answer for
        in time.
        """
        return self._connection.ask_each(records, answers.nova_metadata, seconds)

    def live_xml(self, record: Record, seconds: float) -> str:
        """Return the domain's live XML. Call it only for a domain that was just read.

        This method and has_job() also raise DomainGoneError and DomainError.
        """
        return self._ask_domain(record, lambda domain: str(domain.XMLDesc(0)), seconds)

    def block_info(self, record: Record, target: str, seconds: float) -> tuple[int, int, int]:
        """Return a disk's capacity, allocation and physical size in bytes. Raises as live_xml()."""
        return self._ask_domain(record, lambda domain: tuple(domain.blockInfo(target)), seconds)

    def has_job(self, record: Record, seconds: float) -> bool:
        """Return whether a long job (migration, save, dump, backup) is running."""
        return self._ask_domain(record, answers.has_job, seconds)

    @contextlib.contextmanager
    def writer(self, seconds: float) -> Iterator[Writer]:
        """Open a read-write connection. Also raises WriteRefusedError."""
        connection = connect(self._uri, self._calls, seconds, writable=True)
        try:
            yield Writer(connection)
        finally:
            connection.close(seconds)

    def _ask_domain(
        self, record: Record, question: Callable[[libvirt.virDomain], T], seconds: float
    ) -> T:
        left = countdown(seconds)
        try:
            connection = self._connection.get(left())
            return connection.ask_domain(record.uuid, record.id, question, left())
        except WriteRefusedError as error:
            # Access control can deny the read of a single domain.
            raise DomainError(str(error)) from error


def from_conf(conf: cfg.ConfigOpts) -> Host:
    """Return the host of Ceilometer's options libvirt_uri and libvirt_type."""
    uri = conf.libvirt_uri or libvirt_utils.LIBVIRT_PER_TYPE_URIS.get(
        conf.libvirt_type, "qemu:///system"
    )
    return Host(uri, conf.memballoon.libvirt_timeout, conf.memballoon.most_stuck_calls)
