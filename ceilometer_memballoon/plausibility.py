# SPDX-License-Identifier: Apache-2.0
"""Decide which of a domain's statistics can be true. Pure.

A driver sends every field that the device has, also fields that it does not fill. A field that
is not filled is missing. Filled values that contradict each other are implausible.
"""

from collections.abc import Iterator

from ceilometer_memballoon.stats import ABSURD, HOST_STATS, Stats

#: Statistics that the guest does not send.
NOT_SENT = frozenset((*HOST_STATS, "last_update"))
#: Fields that must not contradict each other.
AMOUNTS = ("available", "unused", "usable")
#: Fields that are never 0 in a running guest.
NEVER_ZERO = ("available", "unused", "disk_caches")
#: Counters that are all 0 in a driver that does not count.
COUNTERS = ("swap_in", "swap_out", "major_fault", "minor_fault")

#: Linux reserves up to about 8 % of a small guest's memory for the kernel (min_free_kbytes with
#: huge pages), and usable does not count it. If more than 1/10 is free, usable is not 0.
RESERVED_SHARE = 10
#: A guest sees more than 1/3 of its memory. A lower total is that of a crash kernel, or of a driver
#: that cannot count that far (virtio-win #11: 2047 MiB of 10140).
LEAST_SHARE = 3


def host_stats(stats: Stats, *, balloon: bool) -> dict[str, int]:
    """Return the host's plausible statistics. actual needs a balloon device."""
    host = {name: stats[name] for name in HOST_STATS if 0 < stats.get(name, 0) < ABSURD}
    # A driver can claim to have given up more than there is.
    if "actual" in host and (not balloon or host["actual"] > host.get("maximum", 0)):
        del host["actual"]
    return host


def has_number(stats: Stats) -> bool:
    """Return whether the guest sent any number except 0."""
    return any(value for name, value in stats.items() if name not in NOT_SENT)


def guest_stats(stats: Stats) -> dict[str, int]:
    """Return the guest's statistics without those that its driver does not fill.

    Amounts of memory may still contradict each other. See is_plausible.
    """
    sent = _sent(stats)
    filled = _without(sent, (*_zeros(sent), *_equals(sent)))
    return _without(filled, tuple(_misfits(filled, stats)))


def is_plausible(guest: Stats, maximum: int | None) -> bool:
    """Return whether 0 <= unused, usable <= available <= maximum.

    guest: has available. maximum: the domain's in KiB; None if unknown.
    """
    available = guest["available"]
    parts = [guest[name] for name in ("unused", "usable") if name in guest]
    return (
        maximum is not None
        and available <= maximum < ABSURD
        and all(0 <= part <= available for part in parts)
    )


def _sent(stats: Stats) -> dict[str, int]:
    return {name: value for name, value in stats.items() if name not in NOT_SENT}


def _without(guest: dict[str, int], names: tuple[str, ...]) -> dict[str, int]:
    return {name: value for name, value in guest.items() if name not in names} if names else guest


def _zeros(guest: Stats) -> Iterator[str]:
    """Yield the fields whose 0 cannot be true."""
    yield from (name for name in NEVER_ZERO if guest.get(name) == 0)
    # Linux sends 0 when a guest is out of memory. Then nearly nothing is free.
    unused, available = guest.get("unused"), guest.get("available")
    is_true = unused and available and unused * RESERVED_SHARE <= available
    if guest.get("usable") == 0 and not is_true:
        yield "usable"
    if guest.get("minor_fault") == 0:
        yield from (name for name in COUNTERS if guest.get(name) == 0)


def _equals(guest: Stats) -> Iterator[str]:
    """Yield the fields that repeat another one."""
    available, unused, usable = (guest.get(name) for name in ("available", "unused", "usable"))
    if unused is not None and unused == available:
        yield "unused"
    # If usable equals unused, it is free memory without the page cache (Nanos).
    if usable and usable in (available, unused):
        yield "usable"
    if guest.get("disk_caches") in (available, unused, usable):
        yield "disk_caches"


def _misfits(guest: Stats, stats: Stats) -> Iterator[str]:
    """Yield the fields that do not fit the other fields and are wrong by themselves."""
    available, actual = guest.get("available"), host_stats(stats, balloon=True).get("actual")
    if available is not None and actual is not None and available * LEAST_SHARE < actual:
        yield "available"
    # A page is either free or page cache.
    if sum(guest[name] for name in ("unused", "disk_caches") if name in guest) > (available or 0):
        yield "disk_caches"
    yield from (n for n, v in guest.items() if n not in AMOUNTS and not 0 <= v < ABSURD)
