# SPDX-License-Identifier: Apache-2.0
"""The live view of 'guest list': the trends between two reports of a guest, and the clock."""

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any, TextIO

from ceilometer_memballoon.cli.columns import Change, Rate
from ceilometer_memballoon.cli.node import LOG, Guest
from ceilometer_memballoon.errors import CommandError

#: Seconds between two blocks, unless others are given; and the least that may be given.
SECONDS = 5.0
LEAST_SECONDS = 1.0
COLUMNS = ("+/- MiB", "Faults/s", "Swap/s")
#: The columns that fit into a table of 100 letters.
SHORT_COLUMNS = (
    "Instance", "Name", "Age", "Usage MiB", "+/- MiB", "Faults/s", "Swap/s", "Verdict",
)  # fmt: skip
#: To the upper left corner, and clear all from there on.
HOME = "\033[H\033[J"


def seconds(text: str) -> float:
    """Parse the argument of --watch, in seconds."""
    value = float(text)
    if not LEAST_SECONDS <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"at least {LEAST_SECONDS:g} s are wanted, not {text}")
    return value


def repeat(show: Callable[[], Any], interval: float) -> int:
    """Call show each so many seconds until KeyboardInterrupt, which is raised.

    Raises what the first call raises. A later CommandError, for instance while libvirtd is
    restarted, is logged.
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
    """Make room for the next block: the whole terminal, or the next lines of a pipe."""
    if out.isatty():
        out.write(HOME)
    if is_table:
        # Other formats are for programs, which know what time it is.
        out.write(time.strftime("%H:%M:%S  (end with Ctrl-C)\n" if out.isatty() else "%H:%M:%S\n"))


@dataclasses.dataclass(frozen=True)
class Report:
    """What one report of a guest said.

    time: when, in seconds since the epoch. usage, swapped: MiB. faults: a count. What the
    guest did not report is None.
    """

    time: int
    usage: float | None
    faults: float | None
    swapped: float | None


class Trends:
    """Remembers each guest's last report and how it differed from the one before."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._cells: dict[str, list[Any]] = {}

    def update(self, guests: list[Guest]) -> dict[str, list[Any]]:
        """Return the cells of COLUMNS for each guest, by uuid."""
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
            # Nothing new since the last block.
            return self._cells[uuid]
        return [
            Change(_difference(before.usage, report.usage)),
            Rate(_rate(before.faults, report.faults, elapsed)),
            Rate(_rate(before.swapped, report.swapped, elapsed)),
        ]


def _report(guest: Guest) -> Report | None:
    """Return None for a guest whose statistics are not fresh and plausible."""
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
    """Per second; None after a reboot, at which the guest's counters start again at zero."""
    difference = _difference(before, now)
    if difference is None or difference < 0 or elapsed <= 0:
        return None
    return difference / elapsed
