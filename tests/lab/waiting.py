# SPDX-License-Identifier: Apache-2.0
"""Wait for a condition, never for a time."""

import functools
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T],
    seconds: float,
    what: str,
    hint: Callable[[], str] = lambda: "",
    *,
    every: float = 0.05,
) -> T:
    """The condition's first true value; TimeoutError naming ``what`` past the limit.

    every: seconds between two looks.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain for: {what} {hint()}".strip())
        time.sleep(every)
    return value


#: For what takes long and costs a service's work to ask.
wait_long_for = functools.partial(wait_for, every=1.0)
