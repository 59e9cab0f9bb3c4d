# SPDX-License-Identifier: Apache-2.0
"""The commands about guests: list, show and enable."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from cliff import lister, show

from ceilometer_memballoon import collector as collectors
from ceilometer_memballoon import host as hosts
from ceilometer_memballoon.cli.columns import (
    OK,
    Cell,
    Duration,
    Name,
    Number,
    Text,
    Uuid,
    Verdict,
    Whole,
)
from ceilometer_memballoon.collector import Collector, Observation
from ceilometer_memballoon.domain_xml import display_name
from ceilometer_memballoon.errors import (
    CommandError,
    DomainError,
    DomainGoneError,
    NoAnswerError,
    WriteRefusedError,
)
from ceilometer_memballoon.host import Host, Writer
from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.problem_log import printable
from ceilometer_memballoon.reading import REMEDIES, Reason
from ceilometer_memballoon.record import RUNNING

COLUMNS = (
    "Instance", "Name", "Domain", "State", "Balloon", "Period", "Period is option's",
    "Age", "Usage MiB", "Available MiB", "Util %", "RSS MiB", "Verdict",
)  # fmt: skip
#: What of it fits into a table of 100 columns.
SHORT_COLUMNS = (
    "Instance", "Name", "Period", "Age", "Usage MiB", "Util %", "RSS MiB",
    "Verdict",
)  # fmt: skip
#: Seconds that one question about one guest may take.
SECONDS = 1.0
PROBLEMS = [reason.value for reason in Reason if reason is not Reason.GONE]
NOT_REACHED = "{}; is libvirtd running, and may this user reach it? See [DEFAULT] libvirt_uri"


@dataclasses.dataclass(frozen=True)
class Guest:
    """An observation with the name that its user gave the instance."""

    seen: Observation
    name: str | None

    @property
    def verdict(self) -> str:
        """'ok', or why there is no memory.usage."""
        reason = self.seen.reading.reason
        return OK if reason is None else reason.value

    def volume(self, pollster: str) -> float | None:
        """What that pollster would send now."""
        return METERS[pollster].volume(self.seen.reading)

    def is_called(self, word: str) -> bool:
        """Whether the word is its uuid or one of its names."""
        record = self.seen.record
        return word.lower() == record.uuid or word in (record.name, self.name)


class Node:
    """The compute node as its agent sees it."""

    def __init__(self, conf: Any) -> None:
        self.period: int = conf.libvirt.mem_stats_period_seconds
        self.host: Host = hosts.from_conf(conf)
        self.collector: Collector = collectors.from_conf(conf, self.host)

    def close(self) -> None:
        """Close the connection to libvirt."""
        self.host.close()

    def guests(self) -> list[Guest]:
        """All running domains by name. Raises CommandError when libvirt does not answer."""
        try:
            seen = self.collector.observe(enable=False)
        except NoAnswerError as error:
            raise CommandError(NOT_REACHED.format(error)) from error
        return [Guest(one, self._name(one)) for one in sorted(seen, key=lambda o: o.record.name)]

    def guest(self, word: str) -> Guest:
        """The one with that uuid, name or begin of a uuid. Raises CommandError if none, or more."""
        guests = self.guests()
        # A name can look like the begin of another's uuid.
        named = [guest for guest in guests if guest.is_called(word)] or [
            guest for guest in guests if guest.seen.record.uuid.startswith(word.lower())
        ]
        if len(named) == 1:
            return named[0]
        if named:
            uuids = ", ".join(sorted(guest.seen.record.uuid for guest in named))
            raise CommandError(f"{word} is the name of several guests: say which of {uuids}")
        raise CommandError(f"no running domain here is called {word}; see 'guest list'")

    def _name(self, seen: Observation) -> str | None:
        try:
            return display_name(self.host.live_xml(seen.record, SECONDS))
        except (NoAnswerError, DomainGoneError, DomainError):
            return None


class List(lister.Lister):  # type: ignore[misc]
    """List this node's guests with what their memory meters are made from, and why not.

    ProblemLog nothing. Memory is in MiB; Period, and Age of the statistics, are in seconds
    where no unit stands beside them. Period is what the guest has now, with the option's
    in parentheses where that is another one. A verdict other than ok is the reason why
    there is no memory.usage: 'guest show' tells what to do. A table has the columns that
    fit into 100 letters, unless --long is given; the other formats have all of them.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the filter."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--problem",
            nargs="?",
            const="any",
            choices=["any", *PROBLEMS],
            metavar="REASON",
            help="only guests whose verdict is not ok, or is this one: " + ", ".join(PROBLEMS),
        )
        parser.add_argument("--long", action="store_true", help="all columns in a table, too")
        return parser

    def take_action(self, arguments: argparse.Namespace) -> tuple[Sequence[str], list[list[Any]]]:
        """The rows."""
        with contextlib.closing(Node(self.app.conf)) as node:
            wanted = [guest for guest in node.guests() if _is_wanted(guest, arguments.problem)]
        rows = [_row(guest, node.period) for guest in wanted]
        if arguments.formatter != "table" or arguments.long or arguments.columns:
            return COLUMNS, rows
        places = [COLUMNS.index(name) for name in SHORT_COLUMNS]
        return SHORT_COLUMNS, [[row[place] for place in places] for row in rows]


class Period(Cell):
    """A balloon's period: what it is and, where it differs, what it should be."""

    def __init__(self, value: int | None, option: int) -> None:
        super().__init__(value)
        self._option = option

    def _shown(self) -> str:
        differs = self._option > 0 and self._value != self._option
        return f"{self._value} ({self._option})" if differs else str(self._value)


def _is_wanted(guest: Guest, problem: str | None) -> bool:
    if problem is None:
        return True
    return guest.verdict == problem if problem != "any" else guest.verdict != OK


def _row(guest: Guest, option: int) -> list[Any]:
    record, balloon = guest.seen.record, guest.seen.balloon
    period = balloon.period if balloon is not None and balloon.is_virtio else None
    return [
        Uuid(record.uuid),
        Name(guest.name),
        Cell(record.name),
        Cell(_state(guest)),
        Cell(None if balloon is None else balloon.model),
        Period(period, option),
        Cell(None if period is None else period == option),
        Duration(guest.volume("memory_stats_age")),
        Number(guest.volume("memory_usage")),
        Number(guest.volume("memory_available")),
        Whole(guest.volume("memory_util")),
        Number(guest.volume("memory_resident")),
        Verdict(guest.verdict),
    ]


def _state(guest: Guest) -> str:
    return "paused" if guest.seen.record.state != RUNNING else "running"


class Show(show.ShowOne):  # type: ignore[misc]
    """Show all that is known of one guest, and what to do where it has no memory.usage.

    Meters have the units of their samples; statistics are libvirt's, in KiB, but for
    last_update (seconds since the epoch) and the counts of faults and huge pages.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the guest."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "guest", metavar="UUID|NAME", help="the instance's uuid or its begin, or a name"
        )
        return parser

    def take_action(self, arguments: argparse.Namespace) -> tuple[list[str], list[Any]]:
        """The fields."""
        with contextlib.closing(Node(self.app.conf)) as node:
            guest = node.guest(arguments.guest)
        fields = dict(_fields(guest, node.period))
        return list(fields), list(fields.values())


def _fields(guest: Guest, option: int) -> Iterator[tuple[str, Any]]:
    record, balloon, reading = guest.seen.record, guest.seen.balloon, guest.seen.reading
    yield "instance", record.uuid
    yield "name", Cell(guest.name)
    yield "domain", Cell(record.name)
    yield "state", _state(guest)
    yield "balloon", Cell(None if balloon is None else balloon.model)
    yield "period (s)", Cell(None if balloon is None else balloon.period)
    yield "period of the option (s)", option
    yield "verdict", Verdict(guest.verdict)
    if reading.reason is not None:
        yield "what to do", Text(REMEDIES[reading.reason])
    for pollster, meter in METERS.items():
        yield f"{meter.name} ({meter.unit})", Cell(guest.volume(pollster))
    for name, value in record.stats.items():
        yield f"libvirt: {name}", value


class Enable(lister.Lister):  # type: ignore[misc]
    """Set the statistics period of guests to the option's now, and wait for an answer.

    The agent does the same in its next cycle. The period is [libvirt]
    mem_stats_period_seconds, in seconds; it is set live, and holds until the guest is
    stopped.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the guests."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "guests", nargs="*", default=[], metavar="UUID|NAME", help="instances, as 'guest show'"
        )
        which.add_argument("--all", action="store_true", help="every running guest of this node")
        parser.add_argument("--yes", action="store_true", help="do not ask before --all")
        return parser

    def take_action(self, arguments: argparse.Namespace) -> tuple[Sequence[str], list[list[Any]]]:
        """Set them; a row each. Raises CommandError where none can be set at all."""
        with contextlib.closing(Node(self.app.conf)) as node:
            guests = self._chosen(node, arguments)
            outcomes = self._enable(node, guests)
        return ("Instance", "Name", "Result"), [
            [Cell(guest.seen.record.uuid), Name(guest.name), outcome]
            for guest, outcome in zip(guests, outcomes, strict=True)
        ]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """1 where a guest was to be set and could not be."""
        self._failures = 0
        return super().run(parsed_args) or int(self._failures > 0)

    def _chosen(self, node: Node, arguments: argparse.Namespace) -> list[Guest]:
        if node.period <= 0:
            raise CommandError(
                f"[libvirt] mem_stats_period_seconds is {node.period}, so statistics are to stay "
                "off; set it above zero in the agent's configuration"
            )
        guests = node.guests() if arguments.all else [node.guest(w) for w in arguments.guests]
        if arguments.all and not arguments.yes:
            _confirm(len(guests), node.period)
        return guests

    def _enable(self, node: Node, guests: list[Guest]) -> list[str]:
        outcomes = []
        try:
            with node.host.writer(SECONDS) as writer:
                for number, guest in enumerate(guests, 1):
                    _progress(f"{number} of {len(guests)}: {guest.seen.record.uuid}")
                    outcomes.append(self._enable_one(node, writer, guest))
        except (WriteRefusedError, NoAnswerError) as error:
            raise CommandError(
                f"{error}; this user may not write to libvirt, or it hangs"
            ) from error
        finally:
            _progress("")
        return outcomes

    def _enable_one(self, node: Node, writer: Writer, guest: Guest) -> str:
        obstacle = _obstacle(node, guest)
        if obstacle is not None:
            return obstacle
        record = guest.seen.record
        try:
            if node.host.has_job(record, SECONDS):
                raise DomainError("a migration, save, dump or backup is under way; try again later")
            writer.set_period(record, node.period, SECONDS)
            answered = node.collector.wait_for_answer(record)
        except (DomainGoneError, DomainError, WriteRefusedError, NoAnswerError) as error:
            self._failures += 1
            return f"not set: {error}"
        return f"set to {node.period} s, " + ("answered" if answered else "no answer yet")


def _obstacle(node: Node, guest: Guest) -> str | None:
    """Why there is nothing to set; None where there is."""
    balloon, reason = guest.seen.balloon, guest.seen.reading.reason
    if balloon is None or reason in (Reason.NOT_RESPONDING, Reason.BUSY):
        return "left alone: " + (reason or Reason.NOT_RESPONDING).value
    if not balloon.is_virtio:
        return "left alone: " + Reason.NO_BALLOON_DEVICE.value
    return f"is at {node.period} s already" if balloon.period == node.period else None


def _confirm(count: int, period: int) -> None:
    if not sys.stdin.isatty():
        raise CommandError("--all changes every guest of this node; add --yes to confirm")
    answer = input(f"Set the statistics period of up to {count} guests to {period} s? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{printable(text)}", end="", file=sys.stderr, flush=True)
