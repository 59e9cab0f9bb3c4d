# SPDX-License-Identifier: Apache-2.0
"""The table of meters. To add a meter, add an entry."""

import dataclasses
import enum
from collections.abc import Callable, Mapping

from ceilometer import sample
from ceilometer.compute.pollsters import instance_stats

from ceilometer_memballoon.reading import STATES, Reading, usage, util

#: The unit of the installed Ceilometer's own memory meters: "MB" up to Ceilometer 25 and "MiB" from
#: 26 on, for the same numbers.
MIB = instance_stats.MemoryUsagePollster.sample_unit
KIB_PER_MIB = 1024

#: The values from which a volume is computed: statistics by libvirt's names, in KiB or counts.
Values = Mapping[str, int]


class Rule(enum.Enum):
    """The part of a reading that a meter may use. It decides when the meter has a sample."""

    GUEST = "fresh and plausible statistics of the guest"
    HOST = "what the host knows of any running guest"
    AGE = "any guest that has ever reported a number"
    STATE = "every instance, unless libvirt gives no answer at all"

    def values(self, reading: Reading) -> Values:
        """Return that part of the reading; empty if there is none."""
        if self is Rule.STATE:
            return {"state": STATES[reading.reason]}
        if self is Rule.AGE:
            # The age is below zero after the host's clock was set back, until the guest reports.
            age = reading.age
            return {} if age is None or age < 0 else {"age": round(age)}
        return reading.host if self is Rule.HOST else reading.stats


@dataclasses.dataclass(frozen=True)
class Meter:
    """One meter.

    name: The sample's name. The pollster's name has underscores for the dots.
    type: Ceilometer's sample type.
    unit: The volume's unit.
    rule: When there is a sample.
    source: The statistic that is the volume, or its formula with libvirt's names. The documentation
        shows it.
    compute: Returns the volume from the values that the rule selects; None if they are not
        sufficient. Without it the volume is the statistic named in source.
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
        sample's name map to the same metric, with '_' for '.'.
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

#: Statistics that Linux 6.12 and QEMU 10.0 have, and that libvirt does not report yet
#: (VIRTIO_BALLOON_S_OOM_KILL and later). The meters have samples as soon as libvirt reports them,
#: if libvirt's names follow its present pattern.
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
