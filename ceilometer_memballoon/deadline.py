# SPDX-License-Identifier: Apache-2.0
"""Run blocking calls, and wait for each no longer than its deadline."""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ceilometer_memballoon.call import STOPPED, Call
from ceilometer_memballoon.errors import (
    DeadlineError,
    NoAnswerError,
    StoppedError,
    TooManyStuckCallsError,
)

T = TypeVar("T")

TOO_MANY = "{} calls to libvirt have not returned, so this process makes no further call"


class Calls:
    """The blocking calls of one kind, with a limit on their number.

    stopped: No further call is made or waited for.
    under_way: The calls that have not returned. The lock guards them.
    """

    def __init__(self, most: int) -> None:
        """most: the largest number of calls at the same time, including stuck ones."""
        self.lock = threading.Lock()
        self.stopped = False
        self._most = most
        self.under_way: set[Call[Any]] = set()

    @property
    def stuck(self) -> int:
        """The number of calls that were left and have not returned."""
        with self.lock:
            return sum(call.left and not call.returned for call in self.under_way)

    def stop(self) -> None:
        """Make no further call, and stop waiting for calls."""
        with self.lock:
            self.stopped = True
            under_way = list(self.under_way)
        for call in under_way:
            call.stop()

    def start(
        self, function: Callable[[], T], late: Callable[[T | None], None] = lambda result: None
    ) -> Call[T]:
        """Start a call. Raises NoAnswerError if that is not possible.

        late: called with the result of a call that returns after it was left.
        """
        call = Call(function, late, self.lock, self.under_way.discard)
        with self.lock:
            if self.stopped:
                raise StoppedError(STOPPED)
            if len(self.under_way) >= self._most:
                raise TooManyStuckCallsError(TOO_MANY.format(len(self.under_way)))
            self.under_way.add(call)
        try:
            # Use a daemon thread, because the interpreter joins an executor's threads at exit.
            threading.Thread(target=call.run, daemon=True).start()
        except RuntimeError as error:
            with self.lock:
                self.under_way.discard(call)
            raise NoAnswerError(str(error)) from error
        return call

    def run(
        self,
        function: Callable[[], T],
        seconds: float,
        late: Callable[[T | None], None] = lambda result: None,
    ) -> T:
        """Run the function for at most this many seconds. Return its result or raise its exception.

        Raises DeadlineError after the deadline, and the errors of start().
        """
        call = self.start(function, late)
        try:
            call.wait(seconds)
        finally:
            left = call.leave()
        if left:
            raise DeadlineError(f"no answer within {max(seconds, 0):.3g} s")
        return call.result()


@dataclasses.dataclass(frozen=True)
class CallKinds:
    """The calls of one process, by what they wait for.

    daemon: Calls that libvirtd answers alone.
    guests: Calls that a QEMU process may also have to answer.
    """

    daemon: Calls
    guests: Calls

    def stop(self) -> None:
        """Make no further call, and stop waiting for calls."""
        self.daemon.stop()
        self.guests.stop()


def countdown(seconds: float) -> Callable[[], float]:
    """Return a function that returns how many of these seconds are left, at least zero."""
    end = time.monotonic() + seconds
    return lambda: max(end - time.monotonic(), 0)
