# SPDX-License-Identifier: Apache-2.0
"""The time of one pass over the guests of a host, and how much of it is left."""

import dataclasses
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class CycleClock:
    """When a pass began and when it ends, in monotonic seconds.

    taken: when it began. end: when no guest is waited for any more. last: when libvirtd is
    not either. longest_question: seconds that libvirtd may take for what it answers alone.
    """

    taken: float
    end: float
    last: float
    longest_question: float
    monotonic: Callable[[], float] = time.monotonic

    @property
    def seconds_left(self) -> float:
        """Seconds until the pass ends."""
        return self.end - self.monotonic()

    @property
    def daemon_seconds(self) -> float:
        """How many seconds libvirtd may take now for what it answers alone."""
        return max(min(self.longest_question, self.last - self.monotonic()), 0)
