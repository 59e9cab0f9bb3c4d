# SPDX-License-Identifier: Apache-2.0
"""The command 'guest enable'."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import Any

from cliff import lister

from ceilometer_memballoon.cli.columns import Cell, Name
from ceilometer_memballoon.cli.compute_node import SECONDS, ComputeNode, Guest, find_guest
from ceilometer_memballoon.errors import (
    CommandError,
    DeadlineError,
    DomainError,
    DomainGoneError,
    MemballoonError,
    NoAnswerError,
    WriteRefusedError,
)
from ceilometer_memballoon.period_rule import MOST_SECONDS
from ceilometer_memballoon.problem_log import printable
from ceilometer_memballoon.reading import Reason
from ceilometer_memballoon.writer import Writer

#: Reasons of guests whose statistics period cannot be set now, or never.
SKIPPED = (Reason.NO_BALLOON_DEVICE, Reason.NOT_RESPONDING, Reason.BUSY)


class Enable(lister.Lister):  # type: ignore[misc]
    """Set the statistics period of guests to the option's value now, and wait for their reports.

    The agent does the same in its next cycle. The option is [libvirt] mem_stats_period_seconds,
    in seconds. The period is set on the running domain and lasts until the guest is stopped. The
    exit status is 1 if a period could not be set.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the arguments that select guests."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "guests",
            nargs="*",
            default=[],
            metavar="UUID|NAME",
            help="instance UUIDs, unique UUID prefixes, or names",
        )
        which.add_argument(
            "--all", action="store_true", help="all running Nova instances of this node"
        )
        parser.add_argument(
            "--yes", action="store_true", help="do not ask for confirmation of --all"
        )
        return parser

    def take_action(self, arguments: argparse.Namespace) -> tuple[Sequence[str], list[list[Any]]]:
        """Set the periods. Return a row for each guest. Raises CommandError if none can be set."""
        with contextlib.closing(ComputeNode(self.app.configuration)) as node:
            guests = _selected_guests(node, arguments)
            results = self._enable(node, guests)
        return ("Instance", "Name", "Result"), [
            [Cell(guest.seen.record.uuid), Name(guest.name), result]
            for guest, result in zip(guests, results, strict=True)
        ]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return 1 if a period could not be set."""
        self._failures = 0
        return super().run(parsed_args) or int(self._failures > 0)

    def _enable(self, node: ComputeNode, guests: list[Guest]) -> list[str]:
        results = []
        try:
            with node.host.writer(SECONDS) as writer:
                for number, guest in enumerate(guests, 1):
                    _progress(f"{number} of {len(guests)}: {guest.seen.record.uuid}")
                    results.append(self._enable_one(node, writer, guest))
        except (WriteRefusedError, NoAnswerError) as error:
            raise CommandError(
                f"{error}. This user may not write to libvirt, or libvirt hangs"
            ) from error
        finally:
            _progress("")
        return results

    def _enable_one(self, node: ComputeNode, writer: Writer, guest: Guest) -> str:
        reason = guest.seen.reading.reason
        if reason in SKIPPED:
            return f"skipped: {reason.value}"
        if guest.period == node.period:
            return f"already {node.period} s"
        if guest.period is not None and not node.rule.differs(guest.period):
            return f"keeps {guest.period} s, because no configuration file sets the option"
        try:
            if node.host.has_job(guest.seen.record, SECONDS):
                raise DomainError("a migration, save, dump or backup is running; try again later")
            writer.set_period(guest.seen.record, node.period, SECONDS)
        except DeadlineError as error:
            self._failures += 1
            return f"unknown: {error}; libvirt may still set the period"
        except (DomainGoneError, DomainError, WriteRefusedError, NoAnswerError) as error:
            self._failures += 1
            return f"not set: {error}"
        return f"set to {node.period} s, {_wait_for_report(node, guest)}"


def _wait_for_report(node: ComputeNode, guest: Guest) -> str:
    """Wait for the guest's first report. Return the result in words."""
    try:
        answered = node.collector.wait_for_answer(guest.seen.record)
    except MemballoonError as error:
        return f"no answer yet: {error}"
    return "answered" if answered else "no answer yet"


def _selected_guests(node: ComputeNode, arguments: argparse.Namespace) -> list[Guest]:
    if not node.rule.is_usable:
        raise CommandError(
            f"[libvirt] mem_stats_period_seconds is {node.period}, so no period can be set. "
            f"Set it to 1 to {MOST_SECONDS} in the agent's configuration"
        )
    guests = node.guests()
    if arguments.all:
        # Like the agent, skip domains that Nova did not create.
        guests = [guest for guest in guests if guest.is_nova]
    else:
        # A guest that was named twice is set once.
        chosen = {g.seen.record.uuid: g for g in (find_guest(w, guests) for w in arguments.guests)}
        return list(chosen.values())
    if not arguments.yes:
        _confirm(len(guests), node.period)
    return guests


def _confirm(count: int, period: int) -> None:
    if not sys.stdin.isatty():
        raise CommandError("--all changes all guests of this node; add --yes to confirm")
    answer = input(f"Set the statistics period of up to {count} guests to {period} s? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{printable(text)}", end="", file=sys.stderr, flush=True)
