# SPDX-License-Identifier: Apache-2.0
"""Which pollsters polling.yaml selects, which it names, and which of its lines are wrong.

Names of this plugin's pollsters have underscores, and names of stock pollsters have none. So a
line with an underscore selects this plugin by name. A line like "*" does not. It was written for
other pollsters, and would poll each memory meter twice.
"""

import fnmatch
import functools
import importlib.metadata
import logging
from collections.abc import Iterable
from typing import Any

from ceilometer.polling.manager import PollingSource
from oslo_config import cfg

from ceilometer_memballoon import yaml_file
from ceilometer_memballoon.errors import FileError

LOG = logging.getLogger(__name__)

#: Matches this plugin's pollsters and no stock pollster.
OWN = "memory_*"


def read_sources(conf: cfg.ConfigOpts) -> list[PollingSource]:
    """Return the sources of the agent's polling.yaml. Raises FileError."""
    path = yaml_file.locate(conf, conf.polling.cfg_file)
    found = yaml_file.entries(yaml_file.read_mapping(path), "sources", path)
    return [_source(entry, path) for entry in found]


def _source(entry: dict[Any, Any], path: str) -> PollingSource:
    name = yaml_file.name(entry, path)
    yaml_file.names(entry, "meters", path)
    try:
        return PollingSource(entry)
    except Exception as error:
        # Ceilometer's own checks, and Python's errors for odd values of 'interval'.
        fault = getattr(error, "msg", None) or str(error) or type(error).__name__
        raise FileError(f"{path}: source {name}: {' '.join(str(fault).split())}") from error


def stock_pollsters() -> set[str]:
    """Return the names of the pollsters on this machine that are not this plugin's."""
    return {
        point.name
        for point in importlib.metadata.entry_points(group="ceilometer.poll.compute")
        if not point.module.startswith("ceilometer_memballoon.")
    }


def is_selected_by_name(conf: cfg.ConfigOpts, pollster: str) -> bool:
    """Return whether the agent's polling.yaml names this pollster of the plugin.

    True if the file cannot be used, because the agent reports that itself.
    """
    try:
        sources = read_sources(conf)
    except FileError:
        return True
    if any(selects_by_name(source, pollster) for source in sources):
        return True
    if any(source.support_meter(pollster) for source in sources):
        _log_not_loaded()
    return False


def selects_by_name(source: PollingSource, pollster: str) -> bool:
    """Return whether a line with an underscore in the source selects this pollster."""
    return source.support_meter(pollster) and any(
        "_" in pattern and fnmatch.fnmatch(pollster, pattern) for pattern in source.meters
    )


@functools.cache
def _log_not_loaded() -> None:
    LOG.info(
        "The agent does not load pollsters of ceilometer-memballoon that polling.yaml selects "
        "only by a line like '*'. 'ceilometer-memballoon check' shows the lines to add"
    )


def duplicate_remedies(sources: Iterable[PollingSource], meter: str) -> list[str]:
    """Return one remedy for each source that also selects the stock pollster of that meter.

    meter: the sample's name, which is also the stock pollster's name.
    """
    return [_remedy(source, meter) for source in sources if source.support_meter(meter)]


def wildcard_remedies(sources: Iterable[PollingSource], pollster: str) -> list[str]:
    """Return one remedy for each source that selects this pollster, but not by its name."""
    return [
        _remedy(source, pollster, OWN)
        for source in sources
        if source.support_meter(pollster) and not selects_by_name(source, pollster)
    ]


def _remedy(source: PollingSource, meter: str, excluded: str | None = None) -> str:
    pattern = next((p for p in source.meters if fnmatch.fnmatch(meter, p)), "*")
    if pattern == meter:
        return f"remove the line '- {meter}' from source {source.name}"
    if set(pattern) == {"*"}:
        return f"add the line '- \"!{excluded or meter}\"' to source {source.name}"
    # Ceilometer rejects a source that both names meters and excludes some.
    return f"name the wanted meters in source {source.name} instead of the line '- {pattern}'"
