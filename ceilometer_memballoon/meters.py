# SPDX-License-Identifier: Apache-2.0
"""The meters: one table, one declarative entry each."""

import dataclasses
import enum
from collections.abc import Callable, Mapping

from ceilometer import sample
from ceilometer.compute.pollsters import instance_stats

from ceilometer_memballoon.reading import Reading, usage

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
    AGE = "any guest that has ever reported"

    def values(self, reading: Reading) -> Values | None:
        """That part; None where the reading does not have it."""
        if self is Rule.AGE:
            # Below zero after the host's clock was set back, until the guest reports.
            if reading.age is None or reading.age < 0:
                return None
            return {"age": round(reading.age)}
        return reading.guest if self is Rule.GUEST else reading.host


@dataclasses.dataclass(frozen=True)
class Meter:
    """One meter.

    name: the sample's; its pollster has underscores for the dots. type: Ceilometer's.
    unit: of the volume. rule: when there is a sample. source: the volume in libvirt's
    names, for the documentation. of: the volume from the values that the rule lets
    through, None where they have nothing to say.
    """

    name: str
    type: str
    unit: str
    rule: Rule
    source: str
    of: Callable[[Values], float | None]

    @property
    def pollster(self) -> str:
        """The pollster's name.

        It must map to the sample's metric in Ceilometer's exporter ('.' as '_'), which
        else shows guests that are long gone.
        """
        return self.name.replace(".", "_")

    def volume(self, reading: Reading) -> float | None:
        """In the meter's unit; None for a reading that gives no sample of this meter."""
        values = self.rule.values(reading)
        return None if values is None else self.of(values)


def _count(name: str) -> Callable[[Values], float | None]:
    return lambda values: values.get(name)


def _mib(name: str) -> Callable[[Values], float | None]:
    return lambda values: _mebibytes(values.get(name))


def _mebibytes(kibibytes: int | None) -> float | None:
    return None if kibibytes is None else kibibytes / KIB_PER_MIB


def _util(values: Values) -> float | None:
    used, whole = usage(values), values.get("available")
    return None if used is None or not whole else 100 * used / whole


_USAGE = "available - usable, else available - unused"
_GAUGE, _CUMULATIVE = sample.TYPE_GAUGE, sample.TYPE_CUMULATIVE
_GUEST, _HOST = Rule.GUEST, Rule.HOST

#: All meters by pollster. The first five share their names with Ceilometer's own.
METERS: Mapping[str, Meter] = {
    meter.pollster: meter
    for meter in (
        Meter("memory.usage", _GAUGE, MIB, _GUEST, _USAGE, lambda v: _mebibytes(usage(v))),
        Meter("memory.resident", _GAUGE, MIB, _HOST, "rss", _mib("rss")),
        Meter("memory.available", _GAUGE, MIB, _GUEST, "available", _mib("available")),
        Meter("memory.swap.in", _CUMULATIVE, MIB, _GUEST, "swap_in", _mib("swap_in")),
        Meter("memory.swap.out", _CUMULATIVE, MIB, _GUEST, "swap_out", _mib("swap_out")),
        Meter("memory.unused", _GAUGE, MIB, _GUEST, "unused", _mib("unused")),
        Meter("memory.usable", _GAUGE, MIB, _GUEST, "usable", _mib("usable")),
        Meter("memory.cached", _GAUGE, MIB, _GUEST, "disk_caches", _mib("disk_caches")),
        Meter("memory.balloon", _GAUGE, MIB, _HOST, "actual", _mib("actual")),
        Meter("memory.util", _GAUGE, "%", _GUEST, "100 * usage / available", _util),
        Meter(
            "memory.fault.major", _CUMULATIVE, "fault", _GUEST, "major_fault", _count("major_fault")
        ),
        Meter(
            "memory.fault.minor", _CUMULATIVE, "fault", _GUEST, "minor_fault", _count("minor_fault")
        ),
        Meter("memory.stats.age", _GAUGE, "s", Rule.AGE, "now - last_update", _count("age")),
    )
}
