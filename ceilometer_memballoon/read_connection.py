# SPDX-License-Identifier: Apache-2.0
"""The read-only connection of a host, and libvirt's objects of the domains on it."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ceilometer_memballoon import answers
from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.connection import Connection, connect
from ceilometer_memballoon.deadline import CallKinds, countdown
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    NoAnswerError,
    StoppedError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.record import Boot, Record

T = TypeVar("T")


class ReadConnection:
    """The read-only connection of a host. It is opened when needed, and again after it broke.

    Every method that asks libvirt raises NoAnswerError. The parameter ``seconds`` is the longest
    time to wait for the answer.
    """

    def __init__(self, calls: CallKinds, uri: str) -> None:
        self._calls = calls
        self._uri = uri
        self._current: Connection | None = None
        # libvirt's domain objects belong to the connection that listed them. The key is the UUID,
        # so that a domain that has rebooted since then is found again.
        self._domains: dict[str, libvirt.virDomain] = {}
        self._listed_by: Connection | None = None
        # Objects that could not be freed in time. They are kept as long as the process.
        self._unfreed: list[dict[str, libvirt.virDomain]] = []

    @property
    def is_usable(self) -> bool:
        """Whether the connection of the last question can be used again."""
        return self._current is not None and self._current.is_usable

    def get(self, seconds: float) -> Connection:
        """Return the connection. Open one if there is none or it cannot be used."""
        left = countdown(seconds)
        if self._current is None or not self._current.is_usable:
            self.close(left())
            try:
                self._current = connect(self._uri, self._calls, left(), writable=False)
            except WriteRefusedError as error:
                raise UnreachableError(str(error)) from error
        return self._current

    def close(self, seconds: float) -> None:
        """Free the connection's objects, and close the connection if libvirt answers."""
        current, self._current, self._listed_by = self._current, None, None
        domains, self._domains = self._domains, {}
        if current is not None:
            left = countdown(seconds)
            # A domain object keeps its connection open. Freeing the last one closes a connection
            # that a late call has abandoned, and the closing waits for libvirtd.
            try:
                self._calls.daemon.run(domains.clear, left())
            except NoAnswerError:
                self._unfreed.append(domains)
            current.close(left())

    def ask(self, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
        """Ask libvirtd. Use a new connection if the old one is broken."""
        left = countdown(seconds)
        was_usable = self.is_usable
        try:
            return _ask(self.get(left()), question, left())
        except UnreachableError:
            # A connection that broke between two cycles, because libvirtd was restarted, costs no
            # cycle.
            if not was_usable:
                raise
            return _ask(self.get(left()), question, left())

    def list_domains(self, seconds: float) -> list[Record]:
        """Return all running domains with their states. Keep their objects for later questions."""
        found = self.ask(answers.list_domains, seconds)
        self._domains = {record.uuid: domain for record, domain in found}
        self._listed_by = self._current
        return [record for record, _ in found]

    def listed(
        self, records: Iterable[Record], seconds: float
    ) -> tuple[Connection, list[tuple[Boot, libvirt.virDomain]]]:
        """Return the connection, and its objects of the domains that it has listed."""
        left = countdown(seconds)
        connection = self.get(left())
        if self._listed_by is not connection:
            self.list_domains(left())
            connection = self.get(left())
        domains = self._domains
        return connection, [(r.boot, domains[r.uuid]) for r in records if r.uuid in domains]

    def ask_each(
        self,
        records: Iterable[Record],
        question: Callable[[list[tuple[Boot, libvirt.virDomain]]], Iterator[tuple[Boot, T]]],
        seconds: float,
    ) -> dict[Boot, T]:
        """Ask libvirtd about one listed domain after the other.

        Returns the answers that arrive in time. Raises DeadlineError if there is none.
        """
        left = countdown(seconds)
        connection, domains = self.listed(records, left())
        found: dict[Boot, T] = {}
        try:
            # Each answer is stored as soon as it arrives.
            _ask(connection, lambda raw: found.update(question(domains)), left())
        except DeadlineError as error:
            if isinstance(error, StoppedError) or not found:
                raise
        # A late call continues to fill the other dictionary.
        return found.copy()


def _ask(connection: Connection, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
    """Ask libvirtd about all domains. An error belongs to no single domain."""
    try:
        return connection.ask(question, seconds)
    except (DomainError, WriteRefusedError) as error:
        raise NoAnswerError(str(error)) from error
