# SPDX-License-Identifier: Apache-2.0
"""Turn raw statistics and a time into a reading, or the reason why there is none.

Pure: this module uses neither libvirt nor Ceilometer.
"""

import dataclasses

from ceilometer_memballoon.plausibility import guest_stats, has_number, host_stats, is_plausible
from ceilometer_memballoon.reasons import REMEDIES, STATES, Reason
from ceilometer_memballoon.run_state import RunState, run_state
from ceilometer_memballoon.stats import ABSURD, Stats, stats_of_bulk
from ceilometer_memballoon.usage import total, usage, util

#: Includes names that callers need together with a reading.
__all__ = [
    "ABSURD", "FRESH_PERIODS", "FRESH_SECONDS", "REMEDIES", "STATES", "Circumstances", "Reading",
    "Reason", "RunState", "Stats", "freshness_limit", "judge", "last_report", "no_reading",
    "run_state", "stats_of_bulk", "total", "usage", "util",
]  # fmt: skip

#: Statistics may be this many periods old, or this many seconds if that is more. A guest under load
#: answers late, and ages are in whole seconds.
FRESH_PERIODS = 3
FRESH_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Circumstances:
    """Facts about a domain besides its statistics.

    state: Whether it runs.
    balloon: Whether it has a virtio balloon, as far as known.
    booting: Whether it started or rebooted recently.
    last_report: When it last reported a number since its domain started, in seconds since the
        epoch; None if no report was seen.
    """

    state: RunState = RunState.RUNNING
    balloon: bool = True
    booting: bool = False
    last_report: float | None = None


@dataclasses.dataclass(frozen=True)
class Reading:
    """The statistics of one domain that may be used at one time.

    host: Statistics that the host has at any time.
    guest: The guest's own statistics; empty unless they are fresh and plausible. A missing value is
        left out and is never 0.
    reason: Why guest is empty; None if it is not.
    age: Seconds since the guest last reported a number; None if it never did.
    """

    host: Stats
    guest: Stats
    reason: Reason | None = None
    age: float | None = None

    @property
    def stats(self) -> Stats:
        """All statistics if the guest's own are there, else none.

        usage and util need both kinds, because the guest's total follows from available and
        actual.
        """
        return {**self.host, **self.guest} if self.guest else {}

    @property
    def includes_cache(self) -> bool:
        """Whether usage counts the guest's page cache as used, because usable is missing."""
        return bool(self.guest) and "usable" not in self.guest


def no_reading(reason: Reason, age: float | None = None) -> Reading:
    """Return the reading of a domain that was not read.

    age: seconds since the last report that was seen; None if there was none.
    """
    return Reading({}, {}, reason, age)


def freshness_limit(period: int) -> float:
    """Return the largest age in seconds of fresh statistics with this period (0: unknown)."""
    return max(FRESH_PERIODS * period, FRESH_SECONDS)


def last_report(stats: Stats) -> float | None:
    """Return when the guest reported a number, in seconds since the epoch; None if it has not."""
    # QEMU starts with last-update 0, and libvirt passes it on.
    return stats.get("last_update") or None if has_number(stats) else None


#: The reason for a failed domain. It takes precedence over fresh statistics, because no new ones
#: follow. A domain that is paused for a moment, as in a migration, has not failed.
FAILED = {RunState.CRASHED: Reason.CRASHED, RunState.IO_ERROR: Reason.IO_ERROR}


def judge(
    stats: Stats, now: float, period: int, circumstances: Circumstances = Circumstances()
) -> Reading:
    """Return the reading of one domain. Accepts any numbers and raises nothing.

    now: Seconds since the epoch on the host that took the statistics.
    period: The balloon's period in seconds; 0 if unknown.
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


def _reason(
    stats: Stats, guest: Stats, now: float, period: int, circumstances: Circumstances
) -> Reason | None:
    if circumstances.state in FAILED:
        return FAILED[circumstances.state]
    if not circumstances.balloon:
        return Reason.NO_BALLOON_DEVICE
    # A driver that answers without a number has not reported. All of its values are 0, or -1, which
    # libvirt drops (Windows without the service, virtio-win #1323).
    if _is_fresh(stats, now, period):
        sound = usage(guest) is not None and is_plausible(guest, stats.get("maximum"))
        return None if sound else Reason.IMPLAUSIBLE
    return _reason_of_silence(stats, circumstances)


def _reason_of_silence(stats: Stats, circumstances: Circumstances) -> Reason:
    if circumstances.state is RunState.PAUSED:
        return Reason.PAUSED
    if has_number(stats):
        return Reason.STALE
    if circumstances.booting:
        return Reason.BOOTING
    # QEMU 10 drops the old numbers when the guest reboots.
    return Reason.NO_GUEST_DRIVER if circumstances.last_report is None else Reason.STALE


def _is_fresh(stats: Stats, now: float, period: int) -> bool:
    # Check both directions. After the host's clock was set back, old statistics seem to come from
    # the future.
    reported = last_report(stats)
    return reported is not None and abs(now - reported) <= freshness_limit(period)
