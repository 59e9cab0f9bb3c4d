# SPDX-License-Identifier: Apache-2.0
"""The libvirt of one host: the questions that the plugin asks it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ceilometer.compute.virt.libvirt import utils as libvirt_utils
from oslo_config import cfg

from ceilometer_memballoon import answers
from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.connection import CallKinds, Connection, open_connection
from ceilometer_memballoon.deadline import Call, Calls, countdown
from ceilometer_memballoon.errors import (
    DomainError,
    NoAnswerError,
    StoppedError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.record import Boot, Monitor, Record

T = TypeVar("T")

#: Calls under way at once that libvirtd alone answers: enough for a list, a question
#: about monitors, a new connection and the closing of an old one.
MOST_DAEMON_CALLS = 4


class Read:
    """A read of some domains that is under way."""

    def __init__(
        self, records: list[Record], call: Call[list[Record]], connection: Connection
    ) -> None:
        self.records = records
        self._call = call
        self._connection = connection

    @property
    def returned(self) -> bool:
        """Whether the answer, or an error, is there."""
        return self._call.returned

    def wait(self, seconds: float) -> bool:
        """Wait at most this long. Return whether the answer is there. Raises StoppedError."""
        return self._call.wait(seconds)

    @property
    def seconds(self) -> float:
        """How long the read took, or has taken so far."""
        return self._call.seconds

    def park(self) -> None:
        """Keep the connection for this read alone, because QEMU is late with its answer."""
        self._connection.give_up()

    def leave(self) -> bool:
        """Stop waiting. Return False if the answer has arrived in the meantime."""
        return self._call.leave()

    def result(self) -> list[Record]:
        """The records of the domains that still run. Raises NoAnswerError, DomainError."""
        try:
            return self._call.result()
        except Exception as error:
            raise self._connection.error_of(error) from error

    def close(self, seconds: float) -> None:
        """Close the connection of a parked read that has returned."""
        self._connection.take_back()
        self._connection.close(seconds)


class Host:
    """The libvirt that Ceilometer's options name. It is connected when first asked.

    Every method that asks raises NoAnswerError. The parameter ``seconds`` is how long
    the answer may take.
    """

    def __init__(self, uri: str, timeout: float, most_stuck: int = 4) -> None:
        """uri: libvirt's; timeout: seconds for closing; most_stuck: calls to guests at once."""
        self._uri = uri
        self._timeout = timeout
        self._places = max(most_stuck - 1, 1)
        self._calls = CallKinds(Calls(MOST_DAEMON_CALLS), Calls(most_stuck))
        self._reader: Connection | None = None
        # libvirt's domain objects belong to the connection that listed them. By uuid, so
        # that a domain which has booted anew since is found again.
        self._domains: dict[str, libvirt.virDomain] = {}
        self._listed_by: Connection | None = None
        # Without a handler libvirt prints each error to stderr as well as raising it.
        libvirt.registerErrorHandler(lambda context, error: None, None)

    @property
    def stuck_calls(self) -> int:
        """How many calls to guests of this process are stuck."""
        return self._calls.guests.stuck

    @property
    def has_spare_place(self) -> bool:
        """Whether a call may get stuck at a guest and leave a place for one more."""
        return self.stuck_calls < self._places

    @property
    def is_connected(self) -> bool:
        """Whether the connection of the last question can be used again."""
        return self._reader is not None and self._reader.is_usable

    def stop(self) -> None:
        """Stop all waits for libvirt. Later questions raise StoppedError."""
        self._calls.stop()

    def close(self) -> None:
        """Close the connection, if libvirt answers in time."""
        self._drop(self._timeout)

    def list_domains(self, seconds: float) -> list[Record]:
        """All running domains with their states. No QEMU is asked."""
        found = self._asked_again(answers.list_domains, seconds)
        self._domains = {record.uuid: domain for record, domain in found}
        self._listed_by = self._reader
        return [record for record, _ in found]

    def list_all(self, seconds: float) -> list[Record]:
        """All domains with their states, also those that are shut off. No QEMU is asked."""
        found = self._asked_again(lambda raw: answers.list_domains(raw, answers.ALL), seconds)
        return [record for record, _ in found]

    def read_stopped(self, groups: int, seconds: float) -> list[Record]:
        """The domains that are shut off. groups: VIR_DOMAIN_STATS_* flags without BLOCK."""
        return self._asked_again(lambda raw: answers.read_stopped(raw, groups), seconds)

    def start_read(self, records: list[Record], groups: int, seconds: float) -> Read:
        """Begin to read these domains' statistics. No read waits for a job.

        groups: libvirt's VIR_DOMAIN_STATS_* flags. seconds: for opening a connection.
        """
        reader = self._listed(seconds)
        domains = [self._domains[r.uuid] for r in records if r.uuid in self._domains]
        call = reader.start(lambda raw: answers.read(raw, domains, groups))
        return Read(records, call, reader)

    def monitors(self, records: Iterable[Record], seconds: float) -> dict[Boot, Monitor]:
        """What holds each of these domains. Takes no job and asks no QEMU.

        A domain is left out if libvirt cannot tell.
        """
        left = countdown(seconds)
        reader = self._listed(left())
        wanted = [(r.boot, self._domains[r.uuid]) for r in records if r.uuid in self._domains]
        return _ask(reader, lambda raw: answers.monitors(wanted), left())

    def nova_metadata(self, records: Iterable[Record], seconds: float) -> dict[Boot, str]:
        """Nova's part of each domain's XML. Takes no job and asks no QEMU.

        A domain without Nova's metadata is left out.
        """
        left = countdown(seconds)
        reader = self._listed(left())
        wanted = [(r.boot, self._domains[r.uuid]) for r in records if r.uuid in self._domains]
        return _ask(reader, lambda raw: answers.nova_metadata(wanted), left())

    def live_xml(self, record: Record, seconds: float) -> str:
        """The domain's live XML. Ask it only of a domain that was just read.

        This method and has_job() also raise DomainGoneError and DomainError.
        """
        return self._ask_domain(record, lambda domain: str(domain.XMLDesc(0)), seconds)

    def block_info(self, record: Record, target: str, seconds: float) -> tuple[int, int, int]:
        """Capacity, allocation and physical size of a disk in bytes. As live_xml()."""
        return self._ask_domain(record, lambda domain: tuple(domain.blockInfo(target)), seconds)

    def has_job(self, record: Record, seconds: float) -> bool:
        """Whether a long job (migration, save, dump, backup) is under way."""
        return self._ask_domain(record, answers.has_job, seconds)

    @contextlib.contextmanager
    def writer(self, seconds: float) -> "Iterator[Writer]":
        """Open a read-write connection. Also raises WriteRefusedError."""
        connection = self._connect(seconds, writable=True)
        try:
            yield Writer(connection)
        finally:
            connection.close(seconds)

    def _ask_domain(
        self, record: Record, question: Callable[[libvirt.virDomain], T], seconds: float
    ) -> T:
        left = countdown(seconds)
        try:
            return self._connected(left()).ask_domain(record.uuid, record.id, question, left())
        except WriteRefusedError as error:
            # Access control can keep one domain from being read.
            raise DomainError(str(error)) from error

    def _asked_again(self, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
        """Ask libvirtd, on a new connection if the old one turns out to be broken."""
        left = countdown(seconds)
        was_connected = self.is_connected
        try:
            return _ask(self._connected(left()), question, left())
        except UnreachableError:
            # A connection that broke between two cycles, because libvirtd was
            # restarted, costs no cycle.
            if not was_connected:
                raise
            return _ask(self._connected(left()), question, left())

    def _listed(self, seconds: float) -> Connection:
        left = countdown(seconds)
        reader = self._connected(left())
        if self._listed_by is not reader:
            self.list_domains(left())
            reader = self._connected(left())
        return reader

    def _connected(self, seconds: float) -> Connection:
        left = countdown(seconds)
        if self._reader is None or not self._reader.is_usable:
            self._drop(left())
            try:
                self._reader = self._connect(left(), writable=False)
            except WriteRefusedError as error:
                raise UnreachableError(str(error)) from error
        return self._reader

    def _drop(self, seconds: float) -> None:
        """Free what belongs to the connection, and close it, as far as libvirt lets it be."""
        reader, self._reader, self._listed_by = self._reader, None, None
        domains, self._domains = self._domains, {}
        if reader is not None:
            left = countdown(seconds)
            # A domain object keeps its connection open. Freeing the last one closes a
            # connection that a late call has let go, and that waits for libvirtd.
            with contextlib.suppress(NoAnswerError):
                self._calls.daemon.run(domains.clear, left())
            reader.close(left())

    def _connect(self, seconds: float, *, writable: bool) -> Connection:
        try:
            return Connection(
                self._calls, lambda: open_connection(self._uri, writable=writable), seconds
            )
        except StoppedError:
            raise
        except NoAnswerError as error:
            raise UnreachableError(f"{self._uri}: {error}") from error
        except WriteRefusedError as error:
            raise WriteRefusedError(f"{self._uri}: {error}") from error


def _ask(reader: Connection, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
    """Ask libvirtd for something about all domains. An error is no domain's own."""
    try:
        return reader.ask(question, seconds)
    except (DomainError, WriteRefusedError) as error:
        raise NoAnswerError(str(error)) from error


class Writer:
    """A read-write connection that does the one thing it was opened for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_period(self, record: Record, period: int, seconds: float) -> None:
        """Set the balloon's statistics period, in seconds, on the running domain.

        Raises NoAnswerError, DomainGoneError, WriteRefusedError, DomainError.
        """
        self._connection.ask_domain(
            record.uuid,
            record.id,
            lambda domain: domain.setMemoryStatsPeriod(period, libvirt.VIR_DOMAIN_AFFECT_LIVE),
            seconds,
        )


def from_conf(conf: cfg.ConfigOpts) -> Host:
    """The host that Ceilometer's libvirt_uri and libvirt_type name."""
    uri = conf.libvirt_uri or libvirt_utils.LIBVIRT_PER_TYPE_URIS.get(
        conf.libvirt_type, "qemu:///system"
    )
    return Host(uri, conf.memballoon.libvirt_timeout, conf.memballoon.most_stuck_calls)
