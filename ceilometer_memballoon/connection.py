# SPDX-License-Identifier: Apache-2.0
"""A libvirt connection on which every call has a deadline."""

import contextlib
import dataclasses
import functools
import threading
import urllib.parse
import weakref
from collections.abc import Callable
from typing import TypeVar

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.deadline import Call, Calls
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    MemballoonError,
    NoAnswerError,
    UnreachableError,
    WriteRefusedError,
)

T = TypeVar("T")

#: Seconds between two keepalive messages to a remote libvirtd, and how many of them may
#: stay without an answer before libvirt closes the connection.
KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3

REFUSED_CODES = (
    libvirt.VIR_ERR_OPERATION_DENIED,
    libvirt.VIR_ERR_ACCESS_DENIED,
    libvirt.VIR_ERR_AUTH_FAILED,
    libvirt.VIR_ERR_AUTH_CANCELLED,
    libvirt.VIR_ERR_AUTH_UNAVAILABLE,
)
#: Where libvirtError keeps the error number of a failed system call (its err.int1).
ERRNO_PLACE = 7
EACCES = 13


@dataclasses.dataclass(frozen=True)
class CallKinds:
    """The calls of one process, by what they wait for.

    daemon: libvirtd alone answers. guests: a QEMU process may have to answer as well.
    """

    daemon: Calls
    guests: Calls

    def stop(self) -> None:
        """Make no further call and wait for none."""
        self.daemon.stop()
        self.guests.stop()


class Connection:
    """A libvirt connection. Close it after use; an unclosed one lasts as long as the process.

    Each method that asks libvirt raises NoAnswerError when the answer does not come in
    time, and UnreachableError when the connection broke.
    """

    def __init__(
        self, calls: CallKinds, connect: Callable[[], libvirt.virConnect], seconds: float
    ) -> None:
        """Connect. Raises NoAnswerError, WriteRefusedError."""
        self._calls = calls
        try:
            self._raw = calls.daemon.run(connect, seconds, _close)
        except libvirt.libvirtError as error:
            raise _connect_error(error) from error
        self._stuck = False
        weakref.finalize(self, _let_go, self._raw)

    @property
    def is_usable(self) -> bool:
        """Whether no call is stuck on it and libvirtd still holds the other end."""
        return not self._stuck and self.is_alive

    @property
    def is_alive(self) -> bool:
        """Whether libvirtd still holds the other end."""
        try:
            return bool(self._raw.isAlive() == 1)
        except libvirt.libvirtError:
            return False

    def start(self, question: Callable[[libvirt.virConnect], T]) -> Call[T]:
        """Begin to ask guests. A caller that stops waiting must call give_up().

        Raises StoppedError, TooManyStuckCallsError.
        """
        return self._calls.guests.start(
            lambda: question(self._raw), lambda result: _close(self._raw)
        )

    def give_up(self) -> None:
        """Mark the connection as unusable. The stuck call closes it when it returns."""
        self._stuck = True

    def take_back(self) -> None:
        """Take back give_up(), because the call has returned before it was left."""
        self._stuck = False

    def ask(self, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
        """Ask libvirtd what needs no guest's answer. Also raises DomainError."""
        return self._run(self._calls.daemon, question, seconds)

    def ask_domain(
        self, uuid: str, number: int, question: Callable[[libvirt.virDomain], T], seconds: float
    ) -> T:
        """Ask about one boot of one domain.

        number: libvirt's id of the domain in that boot. Also raises DomainGoneError,
        WriteRefusedError, DomainError.
        """
        return self._run(
            self._calls.guests, lambda raw: _ask_boot(raw, uuid, number, question), seconds
        )

    def _run(self, calls: Calls, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
        try:
            return calls.run(lambda: question(self._raw), seconds, lambda result: _close(self._raw))
        except (DeadlineError, KeyboardInterrupt):
            # The call is still under way, but this thread stops waiting for it.
            self._stuck = True
            raise
        except Exception as error:
            raise self.error_of(error) from error

    def error_of(self, error: Exception) -> MemballoonError:
        """Translate an error that a question raised."""
        if isinstance(error, MemballoonError):
            return error
        if not self.is_alive:
            return UnreachableError(one_line(error))
        if isinstance(error, libvirt.libvirtError) and error.get_error_code() in REFUSED_CODES:
            return WriteRefusedError(one_line(error))
        return DomainError(one_line(error))

    def close(self, seconds: float) -> None:
        """Close it, unless a call is stuck on it: that call closes it when it returns."""
        if not self._stuck:
            # Closing asks libvirtd, which may not answer.
            with contextlib.suppress(NoAnswerError, libvirt.libvirtError):
                self._calls.daemon.run(self._raw.close, seconds)


def open_connection(uri: str, *, writable: bool) -> libvirt.virConnect:
    """Open a connection. A remote one notices by keepalive that its other end is silent."""
    is_remote = _is_remote(uri)
    if is_remote:
        _run_event_loop()
    raw = libvirt.open(uri) if writable else libvirt.openReadOnly(uri)
    if is_remote:
        # Some drivers and old servers know no keepalive.
        with contextlib.suppress(libvirt.libvirtError):
            raw.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    return raw


def _is_remote(uri: str) -> bool:
    # Without a transport, libvirt reaches the host that a URI names by TLS.
    parts = urllib.parse.urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    return bool(parts.hostname) or transport not in ("", "unix")


@functools.cache
def _run_event_loop() -> None:
    # libvirt sends and answers keepalive messages only where an event loop runs, and
    # wants it registered before the first connection (virConnectSetKeepAlive).
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()


def one_line(error: Exception) -> str:
    """The error's message without line breaks."""
    return " ".join(str(error).split())


def _ask_boot(
    connection: libvirt.virConnect,
    uuid: str,
    number: int,
    question: Callable[[libvirt.virDomain], T],
) -> T:
    domain = _boot(connection, uuid, number)
    try:
        return question(domain)
    except libvirt.libvirtError:
        # A domain that ends during the question fails with an arbitrary error.
        # So trust the error only if the domain still runs.
        if connection.isAlive() == 1:
            _boot(connection, uuid, number)
        raise


def _boot(connection: libvirt.virConnect, uuid: str, number: int) -> libvirt.virDomain:
    try:
        domain = connection.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise DomainGoneError("the domain has ended") from error
        raise
    if domain.ID() != number:
        raise DomainGoneError("the domain has ended")
    return domain


def _connect_error(error: libvirt.libvirtError) -> MemballoonError:
    code, details = error.get_error_code(), error.err or ()
    forbidden = code == libvirt.VIR_ERR_SYSTEM_ERROR and details[ERRNO_PLACE] == EACCES
    kind = WriteRefusedError if code in REFUSED_CODES or forbidden else UnreachableError
    return kind(one_line(error))


def _close(connection: libvirt.virConnect | None) -> None:
    # One that broke while a call was stuck on it cannot be closed any more.
    if connection is not None:
        with contextlib.suppress(libvirt.libvirtError):
            connection.close()


def _let_go(connection: libvirt.virConnect) -> None:
    # Otherwise virConnect.__del__ closes the connection whenever it is freed. Closing
    # asks libvirtd without a deadline, and a libvirtd that hangs would block it forever.
    connection._o = None
