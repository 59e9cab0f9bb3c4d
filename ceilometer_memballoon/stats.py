# SPDX-License-Identifier: Apache-2.0
"""Statistics of one domain, under the names of libvirt's Python binding. Pure."""

from collections.abc import Mapping

#: Statistics of one domain under the names of libvirt's Python binding (virDomainMemoryStats:
#: actual, unused, available, usable, last_update, rss, ...) plus ``maximum``, the most memory that
#: the domain can have. Amounts are in KiB, last_update is in seconds since the epoch, and faults
#: and hugetlb are counts.
Stats = Mapping[str, int]

#: 2^63 bytes in KiB. Larger numbers are no amounts of memory. They are -1 and other negative
#: numbers read as unsigned (virtio-win #1323).
ABSURD = 2**53

#: Statistics that the host has of a running domain at any time. All others are the guest's, from
#: the time of last_update. (The guest also reports the number of pages behind actual, but QEMU has
#: it at any time: virtio_balloon_stat in hw/virtio/virtio-balloon.c.)
HOST_STATS = ("actual", "maximum", "rss")


def stats_of_bulk(fields: Mapping[str, int]) -> dict[str, int]:
    """Return the balloon's part of one getAllDomainStats record under the names of Stats.

    last_update comes from balloon.last-update, and actual from balloon.current.
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
