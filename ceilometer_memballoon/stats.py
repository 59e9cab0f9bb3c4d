# SPDX-License-Identifier: Apache-2.0
"""Statistics of one domain, under the names of libvirt's Python binding. Pure."""

from collections.abc import Mapping

#: Statistics of one domain under the names of libvirt's Python binding
#: (virDomainMemoryStats: actual, unused, available, usable, last_update, rss, ...)
#: plus ``maximum``, the memory the domain has at the most. KiB; last_update in
#: seconds since the epoch, faults and hugetlb in counts.
Stats = Mapping[str, int]

#: 2^63 bytes in KiB. Above lie only numbers that are no amounts of memory: -1 and
#: other negative ones read as unsigned (virtio-win #1323).
ABSURD = 2**53

#: What is known of a running domain at any time; all else in Stats is the guest's word
#: of the moment of last_update. (So is the number of pages behind actual, but QEMU has
#: it at any time: virtio_balloon_stat in hw/virtio/virtio-balloon.c.)
HOST_STATS = ("actual", "maximum", "rss")


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
