# SPDX-License-Identifier: Apache-2.0
"""Handle the agent's SIGTERM, and pass the signal on to the agent."""

import signal
import threading
import types
from collections.abc import Callable


def on_sigterm(callback: Callable[[], None]) -> None:
    """Call the callback in a thread on SIGTERM, before the existing handler.

    The agent waits for the running cycle before it ends. (cotyledon calls the service's
    terminate(), which waits for the periodic task.) Without this callback, a cycle that waits for
    libvirt would delay the agent's end.

    Does nothing if no Python handler is set, because such a process ends at once. Does nothing
    outside the main thread, where Python allows no handler.
    """
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: types.FrameType | None) -> None:
        # A handler that takes a lock could wait for itself, so the callback runs in a thread.
        threading.Thread(target=callback, daemon=True).start()
        before(number, frame)

    signal.signal(signal.SIGTERM, handle)
