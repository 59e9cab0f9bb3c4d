# SPDX-License-Identifier: Apache-2.0
"""Run blocking calls and wait for each no longer than its deadline."""

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

TOO_MANY = "{} calls to libvirt have not returned, so nothing more is asked"


class Calls:
    """The blocking calls of one kind, limited in number.

    stopped: no further call is made, and none is waited for. under_way: the calls that
    have not returned, guarded by lock.
    """

    def __init__(self, most: int) -> None:
        """most: how many calls may be under way at once, including those that are stuck."""
        self.lock = threading.Lock()
        self.stopped = False
        self._most = most
        self.under_way: set[Call[Any]] = set()

    @property
    def stuck(self) -> int:
        """How many calls were left and have not returned."""
        with self.lock:
            return sum(call.left and not call.returned for call in self.under_way)

    def stop(self) -> None:
        """Make no further call and wait for none."""
        with self.lock:
            self.stopped = True
            under_way = list(self.under_way)
        for call in under_way:
            call.stop()

    def start(
        self, function: Callable[[], T], late: Callable[[T | None], None] = lambda result: None
    ) -> Call[T]:
        """Begin a call. Raises NoAnswerError if that is not possible.

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
            # A daemon thread, because an executor's threads are joined at exit.
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
        """Return or raise what the function does within this many seconds.

        Raises DeadlineError past them, and as start().
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

    daemon: libvirtd alone answers. guests: a QEMU process may have to answer as well.
    """

    daemon: Calls
    guests: Calls

    def stop(self) -> None:
        """Make no further call and wait for none."""
        self.daemon.stop()
        self.guests.stop()


def countdown(seconds: float) -> Callable[[], float]:
    """A function that says how many of these seconds are left, zero at the least."""
    end = time.monotonic() + seconds
    return lambda: max(end - time.monotonic(), 0)
