# SPDX-License-Identifier: Apache-2.0
"""The live view of 'guest list': its interval, and the trends between two reports of a guest."""

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any, TextIO

from ceilometer_memballoon.cli.columns import Change, Rate
from ceilometer_memballoon.cli.compute_node import LOG, Guest
from ceilometer_memballoon.errors import CommandError

#: The default and the shortest interval between two blocks, in seconds.
SECONDS = 5.0
LEAST_SECONDS = 1.0
COLUMNS = ("+/- MiB", "Faults/s", "Swap/s")
#: The columns that fit into a table 100 characters wide.
SHORT_COLUMNS = (
    "Instance", "Name", "Age", "Usage MiB", "+/- MiB", "Faults/s", "Swap/s", "Verdict",
)  # fmt: skip
#: Moves the cursor to the upper left corner and clears the screen.
HOME = "\033[H\033[J"


def seconds(text: str) -> float:
    """Parse the argument of --watch, in seconds."""
    value = float(text)
    if not LEAST_SECONDS <= value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"the interval must be at least {LEAST_SECONDS:g} s, not {text}"
        )
    return value


def repeat(show: Callable[[], Any], interval: float) -> int:
    """Call ``show`` every ``interval`` seconds until KeyboardInterrupt, which is raised.

    Raises what the first call raises. A later CommandError is logged, for instance while
    libvirtd restarts.
    """
    has_shown = False
    while True:
        begun = time.monotonic()
        try:
            show()
        except CommandError as error:
            if not has_shown:
                raise
            LOG.error(error)
        has_shown = True
        time.sleep(max(0.0, begun + interval - time.monotonic()))


def begin_block(out: TextIO, *, is_table: bool) -> None:
    """Clear the terminal for the next block, and print the time above a table."""
    if out.isatty():
        out.write(HOME)
    if is_table:
        # Programs read the other formats and need no clock.
        out.write(time.strftime("%H:%M:%S  (Ctrl-C to quit)\n" if out.isatty() else "%H:%M:%S\n"))


@dataclasses.dataclass(frozen=True)
class Report:
    """One report of a guest. A value that the guest did not report is None.

    time: Seconds since the epoch.
    usage, swapped: MiB.
    faults: A count.
    """

    time: int
    usage: float | None
    faults: float | None
    swapped: float | None


class Trends:
    """Each guest's last report, and its difference from the previous one."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._cells: dict[str, list[Any]] = {}

    def update(self, guests: list[Guest]) -> dict[str, list[Any]]:
        """Return the cells of COLUMNS for each guest, by UUID."""
        reports = {guest.seen.record.uuid: _report(guest) for guest in guests}
        self._cells = {uuid: self._trend(uuid, report) for uuid, report in reports.items()}
        self._reports = {uuid: report for uuid, report in reports.items() if report is not None}
        return self._cells

    def _trend(self, uuid: str, report: Report | None) -> list[Any]:
        before = self._reports.get(uuid)
        if report is None or before is None:
            return [Change(None), Rate(None), Rate(None)]
        elapsed = report.time - before.time
        if elapsed == 0:
            # The guest has not reported since the last block.
            return self._cells[uuid]
        return [
            Change(_difference(before.usage, report.usage)),
            Rate(_rate(before.faults, report.faults, elapsed)),
            Rate(_rate(before.swapped, report.swapped, elapsed)),
        ]


def _report(guest: Guest) -> Report | None:
    """Return the guest's report; None if its statistics are not fresh and plausible."""
    if guest.seen.reading.reason is not None:
        return None
    swapped = [guest.volume(name) for name in ("memory_swap_in", "memory_swap_out")]
    return Report(
        time=guest.seen.record.stats.get("last_update", 0),
        usage=guest.volume("memory_usage"),
        faults=guest.volume("memory_fault_major"),
        swapped=None if None in swapped else sum(v for v in swapped if v is not None),
    )


def _difference(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else now - before


def _rate(before: float | None, now: float | None, elapsed: float) -> float | None:
    """Return the change per second.

    None after a reboot, because the guest's counters start again at zero.
    """
    difference = _difference(before, now)
    if difference is None or difference < 0 or elapsed <= 0:
        return None
    return difference / elapsed
