# SPDX-License-Identifier: Apache-2.0
"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T],
    seconds: float,
    what: str,
    hint: Callable[[], str] = lambda: "",
) -> T:
    """The condition's first true value; TimeoutError naming ``what`` past the limit."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain for: {what} {hint()}".strip())
        time.sleep(0.05)
    return value
