# SPDX-License-Identifier: Apache-2.0
"""What polling.yaml selects, what it asks for by name, and which of its lines is wrong.

The names of this plugin's pollsters have underscores and those of stock pollsters have
none. So a line with an underscore asks for this plugin, and a line like "*" does not: it
was written for other pollsters, and would poll each memory meter twice.
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

#: Matches this plugin's pollsters, and no stock one.
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
        # Ceilometer's own checks, and what Python raises for odd values of 'interval'.
        fault = getattr(error, "msg", None) or str(error) or type(error).__name__
        raise FileError(f"{path}: source {name}: {' '.join(str(fault).split())}") from error


def stock_pollsters() -> set[str]:
    """Names of the pollsters on this machine that are not this plugin's."""
    return {
        point.name
        for point in importlib.metadata.entry_points(group="ceilometer.poll.compute")
        if not point.module.startswith("ceilometer_memballoon.")
    }


def is_asked_for(conf: cfg.ConfigOpts, pollster: str) -> bool:
    """Whether the agent's polling.yaml names this pollster of the plugin's.

    True if the file cannot be used, because the agent reports that itself.
    """
    try:
        sources = read_sources(conf)
    except FileError:
        return True
    if any(asks_for(source, pollster) for source in sources):
        return True
    if any(source.support_meter(pollster) for source in sources):
        _log_not_loaded()
    return False


def asks_for(source: PollingSource, pollster: str) -> bool:
    """Whether the source selects this pollster of the plugin's by a line with an underscore."""
    return source.support_meter(pollster) and any(
        "_" in pattern and fnmatch.fnmatch(pollster, pattern) for pattern in source.meters
    )


@functools.cache
def _log_not_loaded() -> None:
    LOG.info(
        "Pollsters of ceilometer-memballoon that polling.yaml selects only by a line like '*' "
        "are not loaded. 'ceilometer-memballoon check' shows the lines to add"
    )


def doubles(sources: Iterable[PollingSource], meter: str) -> list[str]:
    """One remedy for each source that selects the stock pollster of that meter as well.

    meter: the sample's name, which is the stock pollster's.
    """
    return [_remedy(source, meter) for source in sources if source.support_meter(meter)]


def wildcards(sources: Iterable[PollingSource], pollster: str) -> list[str]:
    """One remedy for each source that selects this plugin's pollster, but not by its name."""
    return [
        _remedy(source, pollster, OWN)
        for source in sources
        if source.support_meter(pollster) and not asks_for(source, pollster)
    ]


def _remedy(source: PollingSource, meter: str, excluded: str | None = None) -> str:
    pattern = next((p for p in source.meters if fnmatch.fnmatch(meter, p)), "*")
    if pattern == meter:
        return f"remove the line '- {meter}' from source {source.name}"
    if set(pattern) == {"*"}:
        return f"add the line '- \"!{excluded or meter}\"' to source {source.name}"
    # Ceilometer refuses a source that both names meters and excludes some.
    return f"name the wanted meters in source {source.name} instead of the line '- {pattern}'"
