# SPDX-License-Identifier: Apache-2.0
"""What a polling.yaml selects beside this plugin's pollsters, and which line is wrong."""

import fnmatch
import importlib.metadata
from collections.abc import Iterable
from typing import Any


def stock_pollsters() -> set[str]:
    """Names of the pollsters on this machine that are not this plugin's."""
    return {
        point.name
        for point in importlib.metadata.entry_points(group="ceilometer.poll.compute")
        if not point.module.startswith("ceilometer_memballoon.")
    }


def doubles(sources: Iterable[Any], meter: str) -> list[str]:
    """One remedy for each source that selects the stock pollster of that meter as well.

    sources: ceilometer.polling.manager.PollingSource; meter: the sample's name, which is
    the stock pollster's.
    """
    return [_remedy(source, meter) for source in sources if source.support_meter(meter)]


def _remedy(source: Any, meter: str) -> str:
    pattern = next((p for p in source.meters if fnmatch.fnmatch(meter, p)), "*")
    if pattern == meter:
        return f"remove the line '- {meter}' from source {source.name}"
    if set(pattern) == {"*"}:
        return f"add the line '- \"!{meter}\"' to source {source.name}"
    # Ceilometer refuses a source that both names meters and excludes some.
    return f"name the wanted meters in source {source.name} instead of the line '- {pattern}'"
