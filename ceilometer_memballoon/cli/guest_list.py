# SPDX-License-Identifier: Apache-2.0
"""The command 'guest list'."""

import argparse
import contextlib
from collections.abc import Sequence
from typing import Any

from cliff import lister

from ceilometer_memballoon.cli import watch
from ceilometer_memballoon.cli.columns import (
    OK,
    Cell,
    Duration,
    Integer,
    Name,
    Number,
    Period,
    Uuid,
    Verdict,
)
from ceilometer_memballoon.cli.compute_node import ComputeNode, Guest
from ceilometer_memballoon.reading import Reason

COLUMNS = (
    "Instance", "Name", "Domain", "State", "Balloon", "Period", "Period matches option",
    "Age", "Usage MiB", "Available MiB", "Util %", "RSS MiB", "Not in RSS",
    "Verdict",
)  # fmt: skip
#: The columns that fit into a table 100 characters wide.
SHORT_COLUMNS = (
    "Instance", "Name", "Period", "Age", "Usage MiB", "Util %", "RSS MiB",
    "Verdict",
)  # fmt: skip
PROBLEMS = [reason.value for reason in Reason if reason is not Reason.GONE]


class List(lister.Lister):  # type: ignore[misc]
    """List this node's guests with their memory, or the reason why it is not known.

    The command changes nothing. Memory is in MiB. Period is the guest's statistics period in
    seconds. The option's period follows in parentheses if the two differ. Age is the time since the
    guest last reported. RSS is the memory that the kernel accounts to the guest's QEMU process.
    "Not in RSS" names the guest's memory that RSS leaves out. A verdict other than ok is the reason
    why the guest has no memory.usage. 'guest show' says what to do. A table has the columns that
    fit into 100 characters, unless --long is given. The other formats have all columns.

    With --watch a table also has the change of usage since the guest's previous report, its
    major faults per second, and the MiB per second that it swapped in and out.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the filter, the long form and the live view."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--problem",
            nargs="?",
            const="any",
            choices=["any", *PROBLEMS],
            metavar="REASON",
            help="only guests whose verdict is not ok, or only those with this verdict: "
            + ", ".join(PROBLEMS),
        )
        parser.add_argument("--long", action="store_true", help="show all columns in a table")
        parser.add_argument(
            "--watch",
            nargs="?",
            const=watch.SECONDS,
            type=watch.seconds,
            metavar="SECONDS",
            help="repeat the list at this interval in seconds until Ctrl-C: in place on a "
            f"terminal, one below the other in a pipe (default: {watch.SECONDS:g})",
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """List once, or repeatedly until interrupted. Return the exit status."""
        self._trends = watch.Trends()
        with contextlib.closing(ComputeNode(self.app.configuration)) as self._node:
            if parsed_args.watch is None:
                return int(super().run(parsed_args))
            return watch.repeat(lambda: super(List, self).run(parsed_args), parsed_args.watch)

    def take_action(self, arguments: argparse.Namespace) -> tuple[Sequence[str], list[list[Any]]]:
        """Read the guests. Return the columns' names and the rows."""
        guests = self._node.guests()
        trends = self._trends.update(guests)
        wanted = [guest for guest in guests if _is_wanted(guest, arguments.problem)]
        names: tuple[str, ...] = COLUMNS
        rows = [_row(guest, self._node.period) for guest in wanted]
        is_watched = arguments.watch is not None
        if is_watched:
            names += watch.COLUMNS
            rows = [
                [*row, *trends[g.seen.record.uuid]] for row, g in zip(rows, wanted, strict=True)
            ]
        if arguments.formatter != "table" or arguments.long or arguments.columns:
            return names, rows
        shown = watch.SHORT_COLUMNS if is_watched else SHORT_COLUMNS
        places = [names.index(name) for name in shown]
        return shown, [[row[place] for place in places] for row in rows]

    def produce_output(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any
    ) -> int:
        """Print the rows. A live view replaces the previous ones."""
        if parsed_args.watch is not None:
            watch.begin_block(self.app.stdout, is_table=parsed_args.formatter == "table")
        status = int(super().produce_output(parsed_args, column_names, data))
        self.app.stdout.flush()
        return status


def _is_wanted(guest: Guest, problem: str | None) -> bool:
    if problem is None:
        return True
    return guest.verdict == problem if problem != "any" else guest.verdict != OK


def _row(guest: Guest, option: int) -> list[Any]:
    record, balloon = guest.seen.record, guest.seen.balloon
    return [
        Uuid(record.uuid),
        Name(guest.name),
        Cell(record.name),
        Cell(guest.state),
        Cell(None if balloon is None else balloon.model),
        Period(guest.period, option),
        Cell(None if guest.period is None else guest.period == option),
        Duration(guest.volume("memory_stats_age")),
        Number(guest.volume("memory_usage")),
        Number(guest.volume("memory_available")),
        Integer(guest.volume("memory_util")),
        Number(guest.volume("memory_resident")),
        Cell(guest.not_in_rss),
        Verdict(guest.verdict),
    ]
