# SPDX-License-Identifier: Apache-2.0
"""Run a blocking call for at most so long."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, TypeVar

from ceilometer_memballoon.errors import (
    DeadlineError,
    NoAnswerError,
    StoppedError,
    TooManyStuckCallsError,
)

T = TypeVar("T")

#: Calls left behind at the most. libvirtd serves five requests a connection and
#: has twenty workers (max_client_requests, max_workers): a stuck call holds one of
#: each, and libvirt must stay usable for Nova.
MOST_LEFT_BEHIND = 4

STOPPED = "this process is ending"
TOO_MANY = (
    "%d calls to libvirt are stuck, and nothing more is asked until one returns. "
    "'virsh domcontrol DOMAIN' names the QEMU that does not answer; where all do, libvirt is "
    "slow, and [memballoon] libvirt_timeout too short for it"
)


class Calls:
    """Blocking calls, each in a thread of its own that no process exit waits for.

    left_behind: how many have missed their deadline and not returned since.
    """

    def __init__(self, most_left_behind: int = MOST_LEFT_BEHIND) -> None:
        self._most = most_left_behind
        self._lock = threading.Lock()
        self._waited_for: set[futures.Future[Any]] = set()
        self._stopped = False
        self.left_behind = 0

    def stop(self) -> None:
        """Wait for no call any more: those under way are left behind, later ones not made."""
        with self._lock:
            self._stopped = True
            waited_for = list(self._waited_for)
        for outcome in waited_for:
            outcome.cancel()

    def run(
        self,
        function: Callable[[], T],
        seconds: float,
        abandoned: Callable[[T | None], None] = lambda result: None,
    ) -> T:
        """What the function returns or raises, if it does so within so many seconds.

        Past them DeadlineError is raised, and when the function returns after all,
        ``abandoned`` is called in its thread with its result, None where it raised.
        With MOST_LEFT_BEHIND calls stuck or on their way to it, TooManyStuckCallsError is
        raised at once; after stop() StoppedError is.
        """
        outcome: futures.Future[T] = futures.Future()
        # A daemon thread and not an executor's: those are joined at exit.
        thread = threading.Thread(
            target=self._work, args=(function, outcome, abandoned), daemon=True
        )
        with self._counted(outcome):
            thread.start()
            with contextlib.suppress(futures.TimeoutError, futures.CancelledError):
                outcome.exception(seconds)
        with self._lock:
            # A future that nobody marked as running can be cancelled until it has
            # its result: whether a call was in time is decided here, once.
            if outcome.cancel():
                self.left_behind += 1
                raise self._missed(seconds)
        return outcome.result()

    @contextlib.contextmanager
    def _counted(self, outcome: "futures.Future[Any]") -> Iterator[None]:
        with self._lock:
            if self._stopped:
                raise StoppedError(STOPPED)
            # Each call under way may yet get stuck.
            if self.left_behind + len(self._waited_for) >= self._most:
                raise TooManyStuckCallsError(TOO_MANY % self.left_behind)
            self._waited_for.add(outcome)
        try:
            yield
        finally:
            with self._lock:
                self._waited_for.discard(outcome)

    def _missed(self, seconds: float) -> NoAnswerError:
        if self._stopped:
            return StoppedError(STOPPED)
        return DeadlineError(f"no answer within {seconds:g} s")

    def _work(
        self,
        function: Callable[[], T],
        outcome: "futures.Future[T]",
        abandoned: Callable[[T | None], None],
    ) -> None:
        result = None
        try:
            result = function()
            outcome.set_result(result)
        except futures.InvalidStateError:
            self._finish_late(result, abandoned)
        except Exception as error:
            try:
                outcome.set_exception(error)
            except futures.InvalidStateError:
                self._finish_late(None, abandoned)

    def _finish_late(self, result: T | None, abandoned: Callable[[T | None], None]) -> None:
        try:
            abandoned(result)
        finally:
            with self._lock:
                self.left_behind -= 1
