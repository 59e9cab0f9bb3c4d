# SPDX-License-Identifier: Apache-2.0
"""The command 'guest show'."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from cliff import show

from ceilometer_memballoon.cli.columns import Cell, Text, Verdict
from ceilometer_memballoon.cli.compute_node import ComputeNode, Guest
from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.reading import REMEDIES

NOT_IN_RSS = "{}, which the kernel does not account to the QEMU process"
USAGE_INCLUDES = "page cache, because the guest's driver only reports free memory"


class Show(show.ShowOne):  # type: ignore[misc]
    """Show everything known about one guest, and what to do if it has no memory.usage.

    The command changes nothing. Meters have the units of their samples. Statistics have
    libvirt's names and are in KiB, except last_update (seconds since the epoch) and the counts
    of faults and huge pages.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the argument that names the guest."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "guest", metavar="UUID|NAME", help="instance UUID, a unique UUID prefix, or a name"
        )
        return parser

    def take_action(self, arguments: argparse.Namespace) -> tuple[list[str], list[Any]]:
        """Return the fields' names and values."""
        with contextlib.closing(ComputeNode(self.app.configuration)) as node:
            guest = node.guest(arguments.guest)
        fields = dict(_fields(guest, node.period))
        return list(fields), list(fields.values())


def _fields(guest: Guest, option: int) -> Iterator[tuple[str, Any]]:
    record, balloon, reading = guest.seen.record, guest.seen.balloon, guest.seen.reading
    yield "instance", record.uuid
    yield "name", Cell(guest.name)
    yield "domain", Cell(record.name)
    yield "state", guest.state
    yield "balloon", Cell(None if balloon is None else balloon.model)
    yield "period (s)", Cell(None if balloon is None else balloon.period)
    yield "option's period (s)", option
    yield "verdict", Verdict(guest.verdict)
    if reading.reason is not None:
        yield "what to do", Text(REMEDIES[reading.reason])
    for pollster, meter in METERS.items():
        yield f"{meter.name} ({meter.unit})", Cell(guest.volume(pollster))
    if guest.not_in_rss is not None:
        yield "not in memory.resident", NOT_IN_RSS.format(guest.not_in_rss)
    if guest.seen.reading.includes_cache:
        yield "memory.usage includes", USAGE_INCLUDES
    for name, value in record.stats.items():
        yield f"libvirt: {name}", value
