# SPDX-License-Identifier: Apache-2.0
"""From raw statistics and a clock to a reading, or the reason why there is none.

Pure: nothing here knows libvirt or Ceilometer.
"""

import dataclasses
import enum
from collections.abc import Mapping

from ceilometer_memballoon.plausibility import (
    ABSURD,
    Stats,
    guest_stats,
    has_number,
    host_stats,
    is_plausible,
)
from ceilometer_memballoon.reasons import REMEDIES, STATES, Reason

__all__ = [
    "ABSURD",
    "FRESH_PERIODS",
    "FRESH_SECONDS",
    "REMEDIES",
    "STATES",
    "Circumstances",
    "Reading",
    "Reason",
    "RunState",
    "Stats",
    "freshness_limit",
    "judge",
    "last_report",
    "no_reading",
    "run_state",
    "stats_of_bulk",
    "total",
    "usage",
    "util",
]

#: Statistics may be this many periods old, and never need be younger than this
#: many seconds: a guest under load answers late, and ages are in whole seconds.
FRESH_PERIODS = 3
FRESH_SECONDS = 30


class RunState(enum.Enum):
    """Whether a domain's processors run, and if not, why."""

    RUNNING = enum.auto()
    PAUSED = enum.auto()  #: paused or suspended on purpose; it can run on
    IO_ERROR = enum.auto()  #: paused by QEMU because its storage failed
    CRASHED = enum.auto()  #: crashed; it never runs on


#: libvirt's virDomainState and virDomainPausedReason, as far as they are looked at.
#: This module does not import libvirt; a test compares the numbers.
VIR_DOMAIN_PAUSED = 3
VIR_DOMAIN_CRASHED = 6
VIR_DOMAIN_PMSUSPENDED = 7
VIR_DOMAIN_PAUSED_IOERROR = 5
VIR_DOMAIN_PAUSED_CRASHED = 10

#: Why a paused domain is, where it is not on purpose.
PAUSED_REASONS = {
    VIR_DOMAIN_PAUSED_IOERROR: RunState.IO_ERROR,
    VIR_DOMAIN_PAUSED_CRASHED: RunState.CRASHED,
}


def run_state(state: int, reason: int) -> RunState:
    """Return what a virDomainState and its reason say. Takes any numbers.

    A state that is not known, and one that a later libvirt adds, is RUNNING.
    """
    if state == VIR_DOMAIN_CRASHED:
        return RunState.CRASHED
    if state == VIR_DOMAIN_PAUSED:
        return PAUSED_REASONS.get(reason, RunState.PAUSED)
    return RunState.PAUSED if state == VIR_DOMAIN_PMSUSPENDED else RunState.RUNNING


@dataclasses.dataclass(frozen=True)
class Circumstances:
    """What is known of a domain besides its statistics.

    state: whether it runs. balloon: it has a virtio balloon, as far as is known.
    booting: it started, or rebooted, a short while ago.
    last_report: when it last reported a number since its domain started, in seconds
    since the epoch; None if that was not seen.
    """

    state: RunState = RunState.RUNNING
    balloon: bool = True
    booting: bool = False
    last_report: float | None = None


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one domain's statistics are worth at one moment.

    Stats that may become samples, never a made-up value: host, those known at any
    time; guest, the guest's own, empty unless they are fresh and plausible.
    reason: why they are not; None when they are.
    age: seconds since the guest last reported a number, None if it never did.
    """

    host: Stats
    guest: Stats
    reason: Reason | None = None
    age: float | None = None

    @property
    def includes_cache(self) -> bool:
        """Whether usage counts the guest's page cache as used, because usable is missing."""
        return bool(self.guest) and "usable" not in self.guest


def no_reading(reason: Reason, age: float | None = None) -> Reading:
    """Return the reading of a domain that was not read.

    age: seconds since its last report that was seen, None if none was.
    """
    return Reading({}, {}, reason, age)


def stats_of_bulk(fields: Mapping[str, int]) -> dict[str, int]:
    """Return the balloon's part of one getAllDomainStats record under the names of Stats.

    There last_update is balloon.last-update, and actual is balloon.current.
    """
    prefix = "balloon."
    stats = {
        name.removeprefix(prefix).replace("-", "_"): value
        for name, value in fields.items()
        if name.startswith(prefix)
    }
    if "current" in stats:
        stats["actual"] = stats.pop("current")
    return stats


def freshness_limit(period: int) -> float:
    """Return how many seconds old statistics may be under this period, in seconds (0: unknown)."""
    return max(FRESH_PERIODS * period, FRESH_SECONDS)


def last_report(stats: Stats) -> float | None:
    """Return when the guest reported a number, in seconds since the epoch; None if it has not."""
    # QEMU starts with last-update 0, and libvirt passes that on.
    return stats.get("last_update") or None if has_number(stats) else None


#: The verdict on a domain that does not run and whose statistics are not fresh.
HALTED = {RunState.PAUSED: Reason.PAUSED, RunState.IO_ERROR: Reason.IO_ERROR}


def judge(
    stats: Stats, now: float, period: int, circumstances: Circumstances = Circumstances()
) -> Reading:
    """Return the reading of one domain.

    now: seconds since the epoch on the host that took the stats; period: the balloon's,
    in seconds, 0 if unknown. Takes any numbers, raises nothing.
    """
    reported = last_report(stats) or circumstances.last_report
    guest = guest_stats(stats)
    reason = _reason(stats, guest, now, period, circumstances)
    return Reading(
        host_stats(stats, balloon=circumstances.balloon),
        guest if reason is None else {},
        reason,
        None if reported is None else now - reported,
    )


def total(stats: Stats) -> int | None:
    """Return how much memory the guest has, in KiB: available, or actual if that is less.

    available does not shrink with the balloon in Windows and where the guest may deflate it
    on its own (autodeflate, as Nova has it): there the balloon's pages count as used.
    """
    available, actual, free = stats.get("available"), stats.get("actual"), _free(stats)
    if available is None or actual is None:
        return available
    # More free memory than actual was reported before the balloon grew.
    return available if free is not None and free > actual else min(available, actual)


def usage(stats: Stats) -> int | None:
    """Return how much of total the guest uses, in KiB: total - usable, else total - unused.

    usable is the guest's MemAvailable, so that page cache does not count as used;
    drivers older than Linux 4.6 send only unused. None where neither is known.
    Where total is available, this is the formula of Ceilometer's own memory.usage
    (virt/libvirt/inspector.py).
    """
    whole, free = total(stats), _free(stats)
    return None if free is None or whole is None else whole - free


def util(stats: Stats) -> float | None:
    """Return usage in percent of total; None without usable.

    By free memory alone a guest that caches files looks full, and alarms would fire.
    """
    used, whole = usage(stats), total(stats)
    return None if used is None or not whole or "usable" not in stats else 100 * used / whole


def _free(stats: Stats) -> int | None:
    return stats.get("usable", stats.get("unused"))


def _reason(
    stats: Stats, guest: Stats, now: float, period: int, circumstances: Circumstances
) -> Reason | None:
    if circumstances.state is RunState.CRASHED:
        return Reason.CRASHED
    if not circumstances.balloon:
        return Reason.NO_BALLOON_DEVICE
    # A driver that answers without a number (all of its values are 0, or -1, which libvirt
    # drops: Windows without the service, virtio-win #1323) has not reported.
    if _is_fresh(stats, now, period):
        sound = usage(guest) is not None and is_plausible(guest, stats.get("maximum"))
        return None if sound else Reason.IMPLAUSIBLE
    return _reason_of_silence(stats, circumstances)


def _reason_of_silence(stats: Stats, circumstances: Circumstances) -> Reason:
    if circumstances.state in HALTED:
        return HALTED[circumstances.state]
    if has_number(stats):
        return Reason.STALE
    if circumstances.booting:
        return Reason.BOOTING
    # QEMU 10 drops the old numbers when the guest reboots.
    return Reason.NO_GUEST_DRIVER if circumstances.last_report is None else Reason.STALE


def _is_fresh(stats: Stats, now: float, period: int) -> bool:
    # Both ways: after the host's clock was set back, old statistics seem to come from the
    # future.
    reported = last_report(stats)
    return reported is not None and abs(now - reported) <= freshness_limit(period)
