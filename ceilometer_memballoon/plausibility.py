# SPDX-License-Identifier: Apache-2.0
"""Which of a domain's statistics can be true.

Pure. A driver sends every field that the device has, also those that it does not fill:
such a value is missing. Values that are filled and contradict each other are implausible.
"""

from collections.abc import Iterator

from ceilometer_memballoon.stats import ABSURD, HOST_STATS, Stats

#: What the guest does not send itself.
NOT_SENT = frozenset((*HOST_STATS, "last_update"))
#: Which must not contradict each other.
AMOUNTS = ("available", "unused", "usable")
#: No running guest has 0 of these.
NEVER_ZERO = ("available", "unused", "disk_caches")
#: Counters that are 0 together in a driver that does not count.
COUNTERS = ("swap_in", "swap_out", "major_fault", "minor_fault")

#: Linux keeps up to some 8 % of small guests free for the kernel (min_free_kbytes with
#: huge pages), and usable does not count it. With more free than 1/10, usable is not 0.
RESERVED_SHARE = 10
#: A guest sees more than 1/3 of the memory that it has. A total below is that of a crash
#: kernel or of a driver that cannot count so far (virtio-win #11: 2047 MiB of 10140).
LEAST_SHARE = 3


def host_stats(stats: Stats, *, balloon: bool) -> dict[str, int]:
    """Return the host's statistics that can be true; actual only with a balloon device."""
    host = {name: stats[name] for name in HOST_STATS if 0 < stats.get(name, 0) < ABSURD}
    # What a driver claims to have given up can be more than there is.
    if "actual" in host and (not balloon or host["actual"] > host.get("maximum", 0)):
        del host["actual"]
    return host


def has_number(stats: Stats) -> bool:
    """Return whether the guest itself sent any number but 0."""
    return any(value for name, value in stats.items() if name not in NOT_SENT)


def guest_stats(stats: Stats) -> dict[str, int]:
    """Return the guest's statistics without those that its driver does not fill.

    Amounts of memory may still contradict each other: see is_plausible.
    """
    sent = _sent(stats)
    filled = _without(sent, (*_zeros(sent), *_equals(sent)))
    return _without(filled, tuple(_misfits(filled, stats)))


def is_plausible(guest: Stats, maximum: int | None) -> bool:
    """Return whether 0 <= unused, usable <= available <= maximum.

    guest: has available. maximum: the domain's, in KiB, None if unknown.
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
    # Linux says 0 when a guest is out of memory, and then nearly nothing is free, either.
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
    # With unused it is free memory by another name, which leaves the page cache out (Nanos).
    if usable and usable in (available, unused):
        yield "usable"
    if guest.get("disk_caches") in (available, unused, usable):
        yield "disk_caches"


def _misfits(guest: Stats, stats: Stats) -> Iterator[str]:
    """Yield the fields that do not fit the others, of which these are wrong alone."""
    available, actual = guest.get("available"), host_stats(stats, balloon=True).get("actual")
    if available is not None and actual is not None and available * LEAST_SHARE < actual:
        yield "available"
    # A page is either free or cache.
    if sum(guest[name] for name in ("unused", "disk_caches") if name in guest) > (available or 0):
        yield "disk_caches"
    yield from (n for n, v in guest.items() if n not in AMOUNTS and not 0 <= v < ABSURD)
