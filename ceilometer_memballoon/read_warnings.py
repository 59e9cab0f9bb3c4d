# SPDX-License-Identifier: Apache-2.0
"""Warn once about each condition that keeps a host's guests from being read."""

import logging

from ceilometer_memballoon.cycle import Cycle
from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.problem_log import ProblemLog

#: Subjects of the warnings, besides boots of domains.
SLOW = "slow host"
BUDGET = "stuck calls"
CUT_SHORT = "cut short"
SUBJECTS = frozenset({SLOW, BUDGET, CUT_SHORT})

SLOW_WARNING = (
    "libvirt is slow on this host: %s of %s guests were read in %s s, and a guest usually takes "
    "%s s. The next cycles read the other guests first. Raise [memballoon] libvirt_timeout or "
    "find out what slows the host down."
)
BUDGET_WARNING = (
    "%s calls to QEMU are stuck on this host. The agent does not ask %s guests until some return. "
    "'virsh domcontrol DOMAIN' shows which QEMU does not answer. The limit is [memballoon] "
    "most_stuck_calls."
)
CUT_SHORT_WARNING = "libvirt stopped answering after the agent had read %s of %s guests: %s"


class ReadWarnings:
    """Logs why guests of a host were not read, and when they are read again."""

    def __init__(self, problems: ProblemLog, seconds: float) -> None:
        """seconds: the longest time of one read of all guests."""
        self._problems = problems
        self._seconds = seconds

    def note_end(self, cycle: Cycle) -> None:
        """Log which guests were left out of a pass that libvirt answered to its end."""
        self._problems.clear(CUT_SHORT)
        left_out = len(cycle.findings.unasked)
        if not left_out:
            self._problems.clear(BUDGET, "The agent asks all guests again: fewer calls are stuck.")
            self._clear_slow(cycle)
        elif cycle.trouble.at_budget or cycle.clock.seconds_left > 0:
            stuck = max(cycle.trouble.stuck, cycle.host.stuck_calls)
            self._problems.log(BUDGET, logging.WARNING, BUDGET_WARNING, stuck, left_out, once=True)
        else:
            self._log_slow(cycle)

    def note_cut_short(self, cycle: Cycle, error: NoAnswerError) -> None:
        """Warn that libvirt stopped answering after some guests had been read."""
        read, total = _counts(cycle)
        self._problems.log(
            CUT_SHORT, logging.WARNING, CUT_SHORT_WARNING, read, total, error, once=True
        )

    def _clear_slow(self, cycle: Cycle) -> None:
        # A host that only just reads all of its guests leaves some out again soon.
        if cycle.clock.seconds_left >= self._seconds / 2:
            self._problems.clear(SLOW, "libvirt is fast enough again.")

    def _log_slow(self, cycle: Cycle) -> None:
        read, total = _counts(cycle)
        seconds = f"{self._seconds:g}"
        usual = "unknown" if cycle.pace.usual is None else f"{cycle.pace.usual:.2g}"
        self._problems.log(
            SLOW, logging.WARNING, SLOW_WARNING, read, total, seconds, usual, once=True
        )


def _counts(cycle: Cycle) -> tuple[int, int]:
    """Return how many guests were read, and how many there are."""
    records = cycle.findings.records
    return sum(record.is_read for record in records), len(records)
