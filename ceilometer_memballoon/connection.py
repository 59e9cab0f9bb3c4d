# SPDX-License-Identifier: Apache-2.0
"""A libvirt connection on which every call has a deadline."""

import contextlib
import weakref
from collections.abc import Callable
from typing import TypeVar

from ceilometer_memballoon import keepalive
from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.boot import ask_boot
from ceilometer_memballoon.call import Call
from ceilometer_memballoon.deadline import CallKinds, Calls
from ceilometer_memballoon.errors import (
    DeadlineError,
    MemballoonError,
    NoAnswerError,
    StoppedError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.libvirt_errors import connecting_failed, question_failed

T = TypeVar("T")


class Connection:
    """A libvirt connection. Close it after use. A connection that is not closed stays open.

    Each method that asks libvirt raises NoAnswerError if there is no answer in time, and
    UnreachableError if the connection broke.
    """

    def __init__(
        self, calls: CallKinds, open_raw: Callable[[], libvirt.virConnect], seconds: float
    ) -> None:
        """Connect. Raises NoAnswerError, WriteRefusedError."""
        self._calls = calls
        try:
            self._raw = calls.daemon.run(open_raw, seconds, _close)
        except libvirt.libvirtError as error:
            raise connecting_failed(error) from error
        self._stuck = False
        weakref.finalize(self, _abandon, self._raw)

    @property
    def is_usable(self) -> bool:
        """Whether no call is stuck on the connection and libvirtd still holds the other end."""
        return not self._stuck and self.is_alive

    @property
    def is_alive(self) -> bool:
        """Whether libvirtd still holds the other end."""
        try:
            return bool(self._raw.isAlive() == 1)
        except libvirt.libvirtError:
            return False

    def start(self, question: Callable[[libvirt.virConnect], T]) -> Call[T]:
        """Start a question to guests. A caller that stops waiting must call mark_stuck().

        Raises StoppedError, TooManyStuckCallsError.
        """
        return self._calls.guests.start(
            lambda: question(self._raw), lambda result: _close(self._raw)
        )

    def mark_stuck(self) -> None:
        """Mark the connection as unusable. The stuck call closes it when it returns."""
        self._stuck = True

    def mark_usable(self) -> None:
        """Undo mark_stuck(). Call it when the call has returned before the caller left it."""
        self._stuck = False

    def ask(self, question: Callable[[libvirt.virConnect], T], seconds: float) -> T:
        """Ask libvirtd a question that needs no answer of a guest. Also raises DomainError."""
        return self._run(self._calls.daemon, question, seconds)

    def ask_domain(
        self, uuid: str, number: int, question: Callable[[libvirt.virDomain], T], seconds: float
    ) -> T:
        """Ask about one boot of one domain.

        number: libvirt's id of the domain in that boot. Also raises DomainGoneError,
        WriteRefusedError, DomainError.
        """
        return self._run(
            self._calls.guests, lambda raw: ask_boot(raw, uuid, number, question), seconds
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
        """Return the plugin's error for an error that a question raised."""
        if isinstance(error, MemballoonError):
            return error
        return question_failed(error, is_alive=self.is_alive)

    def close(self, seconds: float) -> None:
        """Close the connection. If a call is stuck on it, that call closes it when it returns."""
        if not self._stuck:
            # Closing sends a request to libvirtd, which may not answer.
            with contextlib.suppress(NoAnswerError, libvirt.libvirtError):
                self._calls.daemon.run(self._raw.close, seconds)


def connect(uri: str, calls: CallKinds, seconds: float, *, writable: bool) -> Connection:
    """Connect to the libvirt at this URI. Each error names the URI.

    Raises UnreachableError, StoppedError, WriteRefusedError.
    """
    try:
        return Connection(calls, lambda: keepalive.open_connection(uri, writable=writable), seconds)
    except StoppedError:
        raise
    except NoAnswerError as error:
        raise UnreachableError(f"{uri}: {error}") from error
    except WriteRefusedError as error:
        raise WriteRefusedError(f"{uri}: {error}") from error


def _close(connection: libvirt.virConnect | None) -> None:
    # A connection that broke while a call was stuck on it cannot be closed.
    if connection is not None:
        with contextlib.suppress(libvirt.libvirtError):
            connection.close()


def _abandon(connection: libvirt.virConnect) -> None:
    # Otherwise virConnect.__del__ closes the connection when it is freed. Closing asks libvirtd
    # without a deadline, so a libvirtd that hangs would block it forever.
    connection._o = None
