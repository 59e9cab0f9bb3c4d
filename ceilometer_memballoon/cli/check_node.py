# SPDX-License-Identifier: Apache-2.0
"""The checks that ask libvirt: access to it, and the guests' statistics periods."""

import collections

from oslo_upgradecheck.upgradecheck import Code, Result

from ceilometer_memballoon.cli.columns import OK
from ceilometer_memballoon.cli.compute_node import SECONDS, ComputeNode, Guest
from ceilometer_memballoon.cli.installation import PERIOD, Installation
from ceilometer_memballoon.errors import (
    CommandError,
    DomainError,
    DomainGoneError,
    NoAnswerError,
    WriteRefusedError,
)

NO_WRITE = (
    "{}. The agent cannot enable guests that Nova did not enable. Allow this user to write to "
    "libvirt, or set the option in nova.conf and hard-reboot the guests."
)
NOT_TRIED = (
    "A read-write connection can be opened. Setting a period was not tried, because {}. "
    "libvirt's access control may refuse it."
)
TRIED = (
    "Statistics periods can be set: tried on guest {}, whose period was set to its present {} s."
)


def read_access(installation: Installation) -> Result:
    """Check that libvirt can be read."""
    try:
        guests = installation.guests
    except CommandError as error:
        if error.__cause__ is None:
            raise
        return Result(
            Code.FAILURE,
            f"{error.__cause__}. Start libvirtd, let this user reach its socket, or correct "
            "[DEFAULT] libvirt_uri.",
        )
    silent = sum(guest.verdict != OK for guest in guests)
    text = f"{_guests(len(guests))} can be read."
    if silent:
        text += f" {_guests(silent)} without memory.usage. See 'guest list --problem'."
    return Result(Code.SUCCESS, text)


def write_access(installation: Installation) -> Result:
    """Check that a period can be set, without changing one."""
    if not installation.node.rule.may_set:
        return Result(Code.SUCCESS, "Not needed: [memballoon] set_periods is false.")
    if installation.period <= 0:
        return Result(Code.SUCCESS, f"Not needed: [libvirt] {PERIOD} is {installation.period}.")
    guests = installation.guests
    try:
        return _try_to_write(installation.node, guests)
    except (WriteRefusedError, NoAnswerError) as error:
        return Result(Code.WARNING, NO_WRITE.format(error))


def _try_to_write(node: ComputeNode, guests: list[Guest]) -> Result:
    """Set one guest's period to its present value. No other call shows whether this is allowed."""
    with node.host.writer(SECONDS) as writer:
        for guest in filter(_can_be_tried, guests):
            assert guest.period is not None
            try:
                if node.host.has_job(guest.seen.record, SECONDS):
                    continue
                writer.set_period(guest.seen.record, guest.period, SECONDS)
            except (DomainGoneError, DomainError):
                continue
            return Result(Code.SUCCESS, TRIED.format(guest.label, guest.period))
    return Result(Code.SUCCESS, NOT_TRIED.format("no guest reports with a period"))


def _can_be_tried(guest: Guest) -> bool:
    """Return whether QEMU answers and the guest has a period to set again."""
    return guest.verdict == OK and bool(guest.period)


def option(installation: Installation) -> Result:
    """Check that the option asks for a period."""
    period, origin = installation.period, installation.period_origin
    text = f"[libvirt] {PERIOD} is {period} (from {origin})."
    if period > 0:
        return Result(Code.SUCCESS, text)
    return Result(
        Code.WARNING,
        f"{text} The agent enables no guest. Set the option above zero, in nova.conf as well.",
    )


def periods(installation: Installation) -> Result:
    """Check that the guests have the option's period."""
    option, origin = installation.period, installation.period_origin
    counts = collections.Counter(g.period for g in installation.guests if g.period is not None)
    found = (
        ", ".join(_count(value, counts[value]) for value in sorted(counts)) or "No guest has one"
    )
    if option <= 0 or not counts.keys() - {0, option}:
        return Result(Code.SUCCESS, f"{found}.")
    return Result(
        Code.WARNING,
        f"{found}, and [libvirt] {PERIOD} is {option} (from {origin}). Set the option in the "
        "agent's configuration to the value in nova.conf.",
    )


def _count(period: int, count: int) -> str:
    what = f"{period} s" if period else "statistics off"
    return f"{_guests(count)} {'has' if count == 1 else 'have'} {what}"


def _guests(count: int) -> str:
    return f"{count} guest" if count == 1 else f"{count} guests"
