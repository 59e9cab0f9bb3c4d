# SPDX-License-Identifier: Apache-2.0
"""A long sequence of steps that mostly waits, so it runs in a thread beside the tests."""

import threading
from collections.abc import Callable

JOIN_SECONDS = 1200


class Background:
    """Steps that start at once.

    name: What they do, for messages.
    steps: Called in a thread.
    progress: Returns how far the steps are, for the message of a failure.
    """

    def __init__(
        self, name: str, steps: Callable[[], None], progress: Callable[[], str] = lambda: ""
    ) -> None:
        self._name = name
        self._steps = steps
        self._progress = progress
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the steps are over. Raises the error that ended them."""
        self._thread.join(timeout=JOIN_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"no end of {self._name}: {self._progress()}")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._steps()
        except Exception as error:  # wait() raises it
            self._error = error
