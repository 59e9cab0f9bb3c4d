# SPDX-License-Identifier: Apache-2.0
"""A blocking call in its own thread. Callers can wait for it, leave it or stop it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ceilometer_memballoon.errors import StoppedError

T = TypeVar("T")

STOPPED = "this process is ending"


class Call(Generic[T]):
    """A blocking call that runs in its own thread. Calls.start() creates it.

    left: the caller has stopped waiting for the result.
    """

    def __init__(
        self,
        function: Callable[[], T],
        late: Callable[[T | None], None],
        lock: threading.Lock,
        forget: Callable[["Call[T]"], None],
    ) -> None:
        """late: Called with the result if it arrives after the call was left.

        lock: Guards the call's state.
        forget: Called with the lock held when the call has ended.
        """
        self._function = function
        self._late = late
        self._lock = lock
        self._forget = forget
        self._settled = threading.Event()
        self._result: T | None = None
        self._error: Exception | None = None
        self._returned = False
        self._stopped = False
        self._begun = time.monotonic()
        self._ended: float | None = None
        self.left = False

    @property
    def returned(self) -> bool:
        """Whether the function has returned or raised."""
        return self._returned

    @property
    def seconds(self) -> float:
        """How long the call took, or has taken so far, in seconds."""
        return (self._ended or time.monotonic()) - self._begun

    def wait(self, seconds: float) -> bool:
        """Wait at most this many seconds. Return whether the function has returned.

        Raises StoppedError.
        """
        self._settled.wait(max(seconds, 0))
        if not self._returned and self._stopped:
            self.leave()
            raise StoppedError(STOPPED)
        return self._returned

    def result(self) -> T:
        """Return the function's result or raise its exception.

        Call it once, after the function has returned.
        """
        # The error's traceback holds libvirt's domain objects. In a reference cycle they would stay
        # until the garbage collector frees them. Freeing the last one of a closed connection asks
        # libvirtd without a deadline.
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        return self._result  # type: ignore[return-value]

    def leave(self) -> bool:
        """Stop waiting unless the function has returned. Return False if it has.

        When a left function returns, its thread calls ``late`` with the result. If the function
        raised, the result is None.
        """
        with self._lock:
            if not self._returned:
                self.left = True
            return self.left

    def run(self) -> None:
        """Call the function. The body of the call's thread."""
        try:
            self._result = self._function()
        except Exception as error:
            self._error = error
        # Free what the function holds here, before the call's connection is closed.
        del self._function
        self._ended = time.monotonic()
        with self._lock:
            self._returned = True
            if not self.left:
                self._forget(self)
        self._settled.set()
        if self.left:
            self._finish_late()

    def _finish_late(self) -> None:
        self._error = None
        try:
            self._late(self._result)
        finally:
            with self._lock:
                self._forget(self)

    def stop(self) -> None:
        """End the wait for this call."""
        self._stopped = True
        self._settled.set()
