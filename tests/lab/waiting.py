# SPDX-License-Identifier: Apache-2.0
"""Wait for a condition instead of a fixed time."""

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
    """Return the condition's first true value. Raises TimeoutError naming ``what`` past the limit.

    every: seconds between two checks.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {seconds} s {hint()}".strip())
        time.sleep(every)
    return value


#: For conditions that take long and that are expensive for a service to check.
wait_long_for = functools.partial(wait_for, every=1.0)
