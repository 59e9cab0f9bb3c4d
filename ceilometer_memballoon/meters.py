# SPDX-License-Identifier: Apache-2.0
"""The table of meters. Adding a meter is adding an entry."""

import dataclasses
import enum
from collections.abc import Callable, Mapping

from ceilometer import sample
from ceilometer.compute.pollsters import instance_stats

from ceilometer_memballoon.reading import STATES, Reading, usage, util

#: "MB" up to Ceilometer 25, "MiB" from 26, for the same numbers: the meters' unit is
#: what the installed release gives its own memory meters.
MIB = instance_stats.MemoryUsagePollster.sample_unit
KIB_PER_MIB = 1024

#: What a volume is made from: statistics by libvirt's names, KiB or counts.
Values = Mapping[str, int]


class Rule(enum.Enum):
    """Which part of a reading a meter may use, and so when it has a sample."""

    GUEST = "fresh and plausible statistics of the guest"
    HOST = "what the host knows of any running guest"
    AGE = "any guest that has ever reported a number"
    STATE = "every instance, unless libvirt gives no answer at all"

    def values(self, reading: Reading) -> Values:
        """Return that part of the reading; empty if there is none."""
        if self is Rule.STATE:
            return {"state": STATES[reading.reason]}
        if self is Rule.AGE:
            # Below zero after the host's clock was set back, until the guest reports.
            age = reading.age
            return {} if age is None or age < 0 else {"age": round(age)}
        return reading.host if self is Rule.HOST else reading.stats


@dataclasses.dataclass(frozen=True)
class Meter:
    """One meter.

    name: of the sample; the pollster's name has underscores for the dots. type:
    Ceilometer's sample type. unit: of the volume. rule: when there is a sample. source: the
    statistic that is the volume, or its formula, in libvirt's names; for the documentation.
    compute: returns the volume from the values that the rule selects, or None if they are
    not enough. Without it the volume is the statistic that source names.
    """

    name: str
    type: str
    unit: str
    rule: Rule
    source: str
    compute: Callable[[Values], float | None] | None = None

    @property
    def pollster(self) -> str:
        """The pollster's name.

        Ceilometer's exporter removes gauges of departed guests only if this name and the
        sample's map to the same metric, with '_' for '.'.
        """
        return self.name.replace(".", "_")

    def volume(self, reading: Reading) -> float | None:
        """Return the volume in the meter's unit; None if there is no sample."""
        values = self.rule.values(reading)
        volume = self.compute(values) if self.compute else values.get(self.source)
        return volume / KIB_PER_MIB if volume is not None and self.unit == MIB else volume


def _named(name: str) -> Callable[[Values], float | None]:
    return lambda values: values.get(name)


_USAGE = "total - usable, else total - unused"
_UTIL = "100 * (total - usable) / total"
_GAUGE, _CUMULATIVE = sample.TYPE_GAUGE, sample.TYPE_CUMULATIVE
_GUEST, _HOST = Rule.GUEST, Rule.HOST

#: What Linux counts from 6.12 on and QEMU from 10.0, but libvirt does not pass on yet
#: (VIRTIO_BALLOON_S_OOM_KILL and later). There are samples once it does, if its names are
#: like those of its other statistics.
COMING = (
    Meter("memory.oom.kill", _CUMULATIVE, "kill", _GUEST, "oom_kill"),
    Meter("memory.alloc.stall", _CUMULATIVE, "stall", _GUEST, "alloc_stall"),
    Meter("memory.scan.async", _CUMULATIVE, MIB, _GUEST, "async_scan"),
    Meter("memory.scan.direct", _CUMULATIVE, MIB, _GUEST, "direct_scan"),
    Meter("memory.reclaim.async", _CUMULATIVE, MIB, _GUEST, "async_reclaim"),
    Meter("memory.reclaim.direct", _CUMULATIVE, MIB, _GUEST, "direct_reclaim"),
)

#: All meters by pollster. The first five share their names with Ceilometer's own.
METERS: Mapping[str, Meter] = {
    meter.pollster: meter
    for meter in (
        Meter("memory.usage", _GAUGE, MIB, _GUEST, _USAGE, usage),
        Meter("memory.resident", _GAUGE, MIB, _HOST, "rss"),
        Meter("memory.available", _GAUGE, MIB, _GUEST, "available"),
        Meter("memory.swap.in", _CUMULATIVE, MIB, _GUEST, "swap_in"),
        Meter("memory.swap.out", _CUMULATIVE, MIB, _GUEST, "swap_out"),
        Meter("memory.unused", _GAUGE, MIB, _GUEST, "unused"),
        Meter("memory.usable", _GAUGE, MIB, _GUEST, "usable"),
        Meter("memory.cached", _GAUGE, MIB, _GUEST, "disk_caches"),
        Meter("memory.balloon", _GAUGE, MIB, _HOST, "actual"),
        Meter("memory.util", _GAUGE, "%", _GUEST, _UTIL, util),
        Meter("memory.fault.major", _CUMULATIVE, "fault", _GUEST, "major_fault"),
        Meter("memory.fault.minor", _CUMULATIVE, "fault", _GUEST, "minor_fault"),
        Meter("memory.hugetlb.pgalloc", _CUMULATIVE, "page", _GUEST, "hugetlb_pgalloc"),
        Meter("memory.hugetlb.pgfail", _CUMULATIVE, "page", _GUEST, "hugetlb_pgfail"),
        Meter("memory.stats.age", _GAUGE, "s", Rule.AGE, "now - last_update", _named("age")),
        Meter(
            "memory.stats.state",
            _GAUGE,
            "state",
            Rule.STATE,
            "number of the verdict",
            _named("state"),
        ),
        *COMING,
    )
}
