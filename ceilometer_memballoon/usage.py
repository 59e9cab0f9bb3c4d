# SPDX-License-Identifier: Apache-2.0
"""How much of its memory a guest uses. Pure."""

from ceilometer_memballoon.stats import Stats


def total(stats: Stats) -> int | None:
    """Return the guest's memory in KiB: available, or actual if that is less.

    available does not shrink with the balloon in Windows, and where the guest may deflate it on
    its own (autodeflate, which Nova uses). There the balloon's pages count as used.
    """
    available, actual, free = stats.get("available"), stats.get("actual"), _free(stats)
    if available is None or actual is None:
        return available
    # The guest reported more free memory than actual before the balloon grew.
    return available if free is not None and free > actual else min(available, actual)


def usage(stats: Stats) -> int | None:
    """Return the guest's memory in use, in KiB: total - usable, else total - unused.

    usable is the guest's MemAvailable, so page cache does not count as used. Drivers older than
    Linux 4.6 send only unused. The result is None if both are unknown. If total is available,
    this is the formula of Ceilometer's own memory.usage (virt/libvirt/inspector.py).
    """
    whole, free = total(stats), _free(stats)
    return None if free is None or whole is None else whole - free


def util(stats: Stats) -> float | None:
    """Return usage in percent of total; None without usable.

    With free memory alone, a guest that caches files looks full, and alarms would fire.
    """
    used, whole = usage(stats), total(stats)
    return None if used is None or not whole or "usable" not in stats else 100 * used / whole


def _free(stats: Stats) -> int | None:
    return stats.get("usable", stats.get("unused"))
