# SPDX-License-Identifier: Apache-2.0
"""From raw statistics and a clock to a reading, or the reason why there is none.

Pure: nothing here knows libvirt or Ceilometer.
"""

import dataclasses
import enum
from collections.abc import Mapping

#: Statistics of one domain under the names of libvirt's Python binding
#: (virDomainMemoryStats: actual, unused, available, usable, last_update, rss, ...)
#: plus ``maximum``, the memory the domain has at the most. KiB; last_update in
#: seconds since the epoch, faults and hugetlb in counts.
Stats = Mapping[str, int]

#: Statistics may be this many periods old, and never need be younger than this
#: many seconds: a guest under load answers late, and ages are in whole seconds.
FRESH_PERIODS = 3
FRESH_SECONDS = 30

#: 2^63 bytes in KiB. Above lie only numbers that are no amounts of memory: -1 and
#: other negative ones read as unsigned (virtio-win #1323).
ABSURD = 2**53

#: What is known of a running domain at any time; all else in Stats is the guest's word
#: of the moment of last_update. (So is the number of pages behind actual, but QEMU has
#: it at any time: virtio_balloon_stat in hw/virtio/virtio-balloon.c.)
HOST_STATS = ("actual", "maximum", "rss")


class Reason(enum.Enum):
    """Why a guest has no memory.usage. The value says it in libvirt's and Nova's words."""

    NO_BALLOON_DEVICE = "no balloon device"
    NO_GUEST_DRIVER = "no guest driver"
    STALE = "stale"
    IMPLAUSIBLE = "implausible"
    PAUSED = "paused"
    BUSY = "busy"
    NOT_RESPONDING = "not responding"
    GONE = "gone"
    BOOTING = "booting"
    NOT_ASKED = "not asked"
    CRASHED = "crashed"
    IO_ERROR = "I/O error"
    READ_ERROR = "read error"


#: What the reason means and what the operator can do about it.
REMEDIES = {
    Reason.NO_BALLOON_DEVICE: "The domain has no virtio balloon, so its guest cannot report. "
    "Nova 32 and later leave it out when [libvirt] mem_stats_period_seconds is not above "
    "zero: set the option on the compute node, then hard-reboot or rebuild the instance.",
    Reason.NO_GUEST_DRIVER: "The guest has a balloon but sends no statistics. Load "
    "virtio_balloon in a Linux guest; install the balloon driver and its service "
    "(blnsvr.exe, in virtio-win) in a Windows guest.",
    Reason.STALE: "The guest reported once but not lately: its balloon driver stopped, it "
    "crashed, or its statistics period is off and may not be set. If guests keep this "
    "reason, look for a warning about read-write access in the agent's log.",
    Reason.IMPLAUSIBLE: "The guest's numbers contradict each other, exceed its memory or "
    "are missing. They are the guest's own word; update its balloon driver.",
    Reason.PAUSED: "The guest is paused or suspended and reports again when it runs on.",
    Reason.BUSY: "Another libvirt job holds the domain, so it could not be read in this "
    "cycle. It is read again in the next one.",
    Reason.NOT_RESPONDING: "QEMU does not answer libvirt: hung storage, a stopped process or "
    "a debugger. Look at the QEMU process; the guest is reported again once it answers.",
    Reason.GONE: "The instance has no running domain on this host: it is shut off, deleted "
    "or has migrated.",
    Reason.BOOTING: "The guest started a short while ago and has not reported yet. Wait until "
    "its balloon driver is loaded.",
    Reason.NOT_ASKED: "This cycle ended before the guest's turn, because libvirt is slow or too "
    "many QEMU processes hang. The agent asks again as soon as that is safe.",
    Reason.CRASHED: "The guest crashed and libvirt keeps its domain. It does not run on: reset "
    "or hard-reboot the instance.",
    Reason.IO_ERROR: "QEMU paused the guest because its storage failed. Repair the storage, "
    "then resume the guest with 'virsh resume'.",
    Reason.READ_ERROR: "libvirt reported an error when it was asked for this domain. The agent's "
    "log has the error.",
}


class RunState(enum.Enum):
    """Whether a domain's processors run, and if not, why."""

    RUNNING = enum.auto()
    PAUSED = enum.auto()  #: paused or suspended on purpose; it can run on
    IO_ERROR = enum.auto()  #: paused by QEMU because its storage failed
    CRASHED = enum.auto()  #: crashed; it never runs on


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
    age: seconds since the guest last reported, None if it never did.
    """

    host: Stats
    guest: Stats
    reason: Reason | None = None
    age: float | None = None


def no_reading(reason: Reason, age: float | None = None) -> Reading:
    """The reading of a domain that was not read.

    age: seconds since its last report that was seen, None if none was.
    """
    return Reading({}, {}, reason, age)


def stats_of_bulk(fields: Mapping[str, int]) -> dict[str, int]:
    """The balloon's part of one getAllDomainStats record under the names of Stats.

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


def run_state(state: int, reason: int) -> RunState:
    """STUB"""
    if state == 6:
        return RunState.CRASHED
    if state == 3 and reason == 5:
        return RunState.IO_ERROR
    return RunState.PAUSED if state in (3, 7) else RunState.RUNNING


def last_report(stats: Stats) -> float | None:
    """STUB"""
    if any(n not in (*HOST_STATS, "last_update") for n in stats):
        return stats.get("last_update") or None
    return None


#: The verdict on a domain whose processors do not run and whose statistics are not fresh.
HALTED = {
    RunState.PAUSED: Reason.PAUSED,
    RunState.IO_ERROR: Reason.IO_ERROR,
    RunState.CRASHED: Reason.CRASHED,
}


def freshness_limit(period: int) -> float:
    """How many seconds old statistics may be under this period, in seconds (0: unknown)."""
    return max(FRESH_PERIODS * period, FRESH_SECONDS)


def judge(
    stats: Stats, now: float, period: int, circumstances: Circumstances = Circumstances()
) -> Reading:
    """The reading of one domain.

    now: seconds since the epoch on the host that took the stats; period: the balloon's,
    in seconds, 0 if unknown. Takes any numbers, raises nothing.
    """
    age = _age(stats, now)
    reason = _reason(stats, age, period, circumstances)
    return Reading(_host_stats(stats), _guest_stats(stats) if reason is None else {}, reason, age)


def usage(stats: Stats) -> int | None:
    """KiB the guest uses: available - usable, else available - unused.

    usable is the guest's MemAvailable, so that page cache does not count as used;
    drivers older than Linux 4.6 send only unused. None where neither can be told.
    Same formula as Ceilometer's own memory.usage (virt/libvirt/inspector.py).
    """
    free = stats.get("usable", stats.get("unused"))
    available = stats.get("available")
    return None if free is None or available is None else available - free


def _age(stats: Stats, now: float) -> float | None:
    # QEMU starts with last-update 0, and libvirt passes that on.
    return now - stats["last_update"] if stats.get("last_update") else None


def _reason(
    stats: Stats, age: float | None, period: int, circumstances: Circumstances
) -> Reason | None:
    if not circumstances.balloon:
        return Reason.NO_BALLOON_DEVICE
    # Both ways: after the host's clock was set back, old statistics seem to come
    # from the future.
    if age is not None and abs(age) <= freshness_limit(period):
        # A driver that answers without saying how much there is (all of its values are
        # -1, which libvirt drops; virtio-win #1323) is there, and wrong.
        return None if usage(stats) is not None and _is_plausible(stats) else Reason.IMPLAUSIBLE
    if circumstances.state in HALTED:
        return HALTED[circumstances.state]
    if circumstances.booting and usage(stats) is None:
        return Reason.BOOTING
    return Reason.STALE if usage(stats) is not None else Reason.NO_GUEST_DRIVER


def _is_plausible(stats: Stats) -> bool:
    """0 <= unused, usable, disk_caches <= available <= maximum."""
    available, maximum = stats["available"], stats.get("maximum")
    parts = [stats[name] for name in ("unused", "usable", "disk_caches") if name in stats]
    return (
        _is_amount(maximum)
        and maximum is not None
        and available <= maximum
        and all(0 <= part <= available for part in parts)
    )


def _host_stats(stats: Stats) -> dict[str, int]:
    host = {name: stats[name] for name in HOST_STATS if _is_amount(stats.get(name))}
    # What a driver claims to have given up can be more than there is.
    if host.get("actual", 0) > host.get("maximum", 0):
        del host["actual"]
    return host


def _guest_stats(stats: Stats) -> dict[str, int]:
    return {
        name: value
        for name, value in stats.items()
        if name not in HOST_STATS and name != "last_update" and _is_amount(value)
    }


def _is_amount(value: int | None) -> bool:
    return value is not None and 0 <= value < ABSURD
