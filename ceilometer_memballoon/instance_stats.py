# SPDX-License-Identifier: Apache-2.0
"""Ceilometer's statistics of an instance, without those that were not read."""

from collections.abc import Callable, Mapping
from typing import Any

from ceilometer.compute.virt import inspector as virt_inspector

#: The attributes of InstanceStats from perf events, and libvirt's names.
PERF_FIELDS = {
    "cpu_cycles": "perf.cpu_cycles",
    "instructions": "perf.instructions",
    "cache_references": "perf.cache_references",
    "cache_misses": "perf.cache_misses",
}


class ReadStats(virt_inspector.InstanceStats):  # type: ignore[misc]
    """Statistics of an instance. A missing one raises InstanceNotFoundException.

    Ceilometer's pollsters log this error at DEBUG. They would log a None as a warning in every
    cycle. Perf events are read on demand.
    """

    def __init__(self, stats: Any, perf: Callable[[], Mapping[str, Any]]) -> None:
        self.__dict__.update({k: v for k, v in vars(stats).items() if v is not None})
        self.__dict__["_perf"] = perf

    def __getattr__(self, name: str) -> Any:
        if name not in self.fields:
            raise AttributeError(name)
        value = self._perf()[name] if name in PERF_FIELDS else None
        if value is None:
            raise virt_inspector.InstanceNotFoundException(f"there is no {name}")
        return value
