# SPDX-License-Identifier: Apache-2.0
"""Run blocking calls and wait for each no longer than its deadline."""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ceilometer_memballoon.errors import (
    DeadlineError,
    NoAnswerError,
    StoppedError,
    TooManyStuckCallsError,
)

T = TypeVar("T")

STOPPED = "this process is ending"
TOO_MANY = "{} calls to libvirt have not returned, so nothing more is asked"


class Call(Generic[T]):
    """A blocking call that runs in a thread of its own. Calls.start() makes it.

    left: the caller has stopped waiting for the result.
    """

    def __init__(
        self, calls: "Calls", function: Callable[[], T], late: Callable[[T | None], None]
    ) -> None:
        self._calls = calls
        self._function = function
        self._late = late
        self._settled = threading.Event()
        self._result: T | None = None
        self._error: Exception | None = None
        self._returned = False
        self._begun = time.monotonic()
        self._ended: float | None = None
        self.left = False

    @property
    def returned(self) -> bool:
        """Whether the function has returned or raised."""
        return self._returned

    @property
    def seconds(self) -> float:
        """How long the call took, or has taken so far."""
        return (self._ended or time.monotonic()) - self._begun

    def wait(self, seconds: float) -> bool:
        """Wait at most this long. Return whether the function has returned.

        Raises StoppedError.
        """
        self._settled.wait(max(seconds, 0))
        if not self._returned and self._calls.stopped:
            self.leave()
            raise StoppedError(STOPPED)
        return self._returned

    def result(self) -> T:
        """Return or raise what the function did. Call it only after it has returned."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def leave(self) -> bool:
        """Stop waiting, unless the function has returned. Return False if it has.

        When a left function returns, ``late`` is called in its thread with its result,
        or with None where it raised.
        """
        with self._calls.lock:
            if not self._returned:
                self.left = True
            return self.left

    def run(self) -> None:
        """Call the function. The body of the call's thread."""
        try:
            self._result = self._function()
        except Exception as error:
            self._error = error
        # What the function holds is freed here, before the call's connection is closed.
        del self._function
        self._ended = time.monotonic()
        with self._calls.lock:
            self._returned = True
            if not self.left:
                self._calls.under_way.discard(self)
        self._settled.set()
        if self.left:
            self._finish_late()

    def _finish_late(self) -> None:
        try:
            self._late(self._result)
        finally:
            with self._calls.lock:
                self._calls.under_way.discard(self)

    def stop(self) -> None:
        """End the wait for this call."""
        self._settled.set()


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
        call = Call(self, function, late)
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


def countdown(seconds: float) -> Callable[[], float]:
    """A function that says how many of these seconds are left, zero at the least."""
    end = time.monotonic() + seconds
    return lambda: max(end - time.monotonic(), 0)
