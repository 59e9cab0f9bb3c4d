# SPDX-License-Identifier: Apache-2.0
"""The time limits of one pass over the guests of a host."""

import dataclasses
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class CycleClock:
    """The start and the end of a pass in monotonic seconds.

    taken: When the pass started.
    end: When the pass stops waiting for guests.
    last: When the pass also stops waiting for libvirtd.
    longest_question: Seconds that libvirtd may take for a question without a guest.
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
        """Seconds that libvirtd may take now for a question without a guest."""
        return max(min(self.longest_question, self.last - self.monotonic()), 0)
