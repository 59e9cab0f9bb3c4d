# SPDX-License-Identifier: Apache-2.0
"""Hear that the agent is told to end, without taking the signal away from it."""

import signal
import threading
import types
from collections.abc import Callable


def tell(callback: Callable[[], None]) -> None:
    """Have the callback called, in a thread, on SIGTERM, before what the process does then.

    The agent waits for the cycle under way before it ends (cotyledon calls the service's
    terminate(), and that waits for the periodic task), so a cycle that waits for libvirt
    would make it late. Nothing is done where no Python handler is set (such a process
    ends at once), nor outside the main thread, where Python lets nobody set one.
    """
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: types.FrameType | None) -> None:
        # In a thread, for a handler that takes a lock can wait for itself.
        threading.Thread(target=callback, daemon=True).start()
        before(number, frame)

    signal.signal(signal.SIGTERM, handle)
