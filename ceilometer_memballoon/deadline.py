# SPDX-License-Identifier: Apache-2.0
"""Run a blocking call for at most so long."""

import threading
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

T = TypeVar("T")

#: Calls left behind at the most. libvirtd serves five requests a connection and
#: has twenty workers (max_client_requests, max_workers): a stuck call holds one of
#: each, and libvirt must stay usable for Nova.
MOST_LEFT_BEHIND = 4


class Unanswered(Exception):
    """Nothing is to be had now from what was called; the message says why, in one line."""


class DeadlineMissed(Unanswered):
    """The call did not return in time and was left behind."""


class TooManyLeftBehind(Unanswered):
    """So many calls are stuck already that nothing more was tried."""


class Calls:
    """Blocking calls, each in a thread of its own that no process exit waits for.

    left_behind: how many have missed their deadline and not returned since.
    """

    def __init__(self, most_left_behind: int = MOST_LEFT_BEHIND) -> None:
        self._most = most_left_behind
        self._lock = threading.Lock()
        self.left_behind = 0

    def run(
        self,
        function: Callable[[], T],
        seconds: float,
        abandoned: Callable[[T | None], None] = lambda result: None,
    ) -> T:
        """What the function returns or raises, if it does so within so many seconds.

        Past them DeadlineMissed is raised, and when the function returns after all,
        ``abandoned`` is called in its thread with its result, None where it raised.
        With MOST_LEFT_BEHIND calls stuck, TooManyLeftBehind is raised at once.
        """
        if self.left_behind >= self._most:
            raise TooManyLeftBehind(f"{self.left_behind} calls to libvirt are stuck")
        outcome: futures.Future[T] = futures.Future()
        # A daemon thread and not an executor's: those are joined at exit.
        threading.Thread(
            target=self._work, args=(function, outcome, abandoned), daemon=True
        ).start()
        futures.wait([outcome], timeout=seconds)
        with self._lock:
            # A future that nobody marked as running can be cancelled until it has
            # its result: whether a call was in time is decided here, once.
            if outcome.cancel():
                self.left_behind += 1
                raise DeadlineMissed(f"no answer within {seconds:g} s")
        return outcome.result()

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
            self._come_back(result, abandoned)
        except Exception as error:
            try:
                outcome.set_exception(error)
            except futures.InvalidStateError:
                self._come_back(None, abandoned)

    def _come_back(self, result: T | None, abandoned: Callable[[T | None], None]) -> None:
        try:
            abandoned(result)
        finally:
            with self._lock:
                self.left_behind -= 1
