# SPDX-License-Identifier: Apache-2.0
"""Find the stock pollsters that can stop this plugin's pollsters in a shared polling task.

Ceilometer runs one task for each interval, for all sources, and one pollster after the other.
Its own libvirt pollsters ask libvirt without a deadline. So one hung QEMU process stops every
pollster of that interval, unless the plugin serves them.
"""

import functools
import importlib.metadata
from collections.abc import Iterable
from typing import Any

from ceilometer.compute.pollsters import GenericComputePollster
from ceilometer.polling.manager import PollingSource
from oslo_log import log

from ceilometer_memballoon import serving
from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.polling_file import selects_by_name

LOG = log.getLogger(__name__)

GROUP = "ceilometer.poll.compute"
STOCK = "ceilometer.compute.pollsters."

REMEDY = (
    "Give the memory pollsters an interval that no such pollster has, or set [memballoon] "
    "serve_stock_meters = true"
)


def stock_libvirt_pollsters() -> set[str]:
    """Return names of the installed Ceilometer's pollsters that ask libvirt."""
    points = importlib.metadata.entry_points(group=GROUP)
    return {
        point.name
        for point in points
        if point.module.startswith(STOCK) and issubclass(point.load(), GenericComputePollster)
    }


def find_shared_intervals(sources: Iterable[PollingSource]) -> dict[int, list[str]]:
    """Return the stock libvirt pollsters that share an interval with the plugin's pollsters.

    The keys are intervals in seconds.
    """
    every = list(sources)
    ours = {
        source.get_interval()
        for source in every
        if any(selects_by_name(source, pollster) for pollster in METERS)
    }
    found: dict[int, set[str]] = {}
    stock = stock_libvirt_pollsters()
    for source in every:
        names = {name for name in stock if source.support_meter(name)}
        if names and source.get_interval() in ours:
            found.setdefault(source.get_interval(), set()).update(names)
    return {interval: sorted(names) for interval, names in found.items()}


def describe(found: dict[int, list[str]]) -> str:
    """Return one sentence about the result of find_shared_intervals()."""
    parts = [f"{', '.join(names)} every {interval} s" for interval, names in found.items()]
    return (
        "These pollsters of Ceilometer ask libvirt without a deadline and have the same interval "
        f"as memory pollsters: {'; '.join(parts)}. One hung QEMU process stops all of them. "
        f"{REMEDY}"
    )


def warn(manager: Any) -> None:
    """Warn once of stock pollsters that can stop the plugin's pollsters.

    manager: the agent's ceilometer.polling.manager.AgentManager.
    """
    _warn(tuple(manager.polling_manager.sources))


@functools.cache
def _warn(sources: tuple[PollingSource, ...]) -> None:
    found = {} if serving.is_serving() else find_shared_intervals(sources)
    if found:
        LOG.warning("%s.", describe(found))
