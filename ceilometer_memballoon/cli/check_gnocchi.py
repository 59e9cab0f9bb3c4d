# SPDX-License-Identifier: Apache-2.0
"""The check of what Gnocchi's publisher does with the meters."""

import dataclasses
import importlib.resources
import urllib.parse
from collections.abc import Iterator
from typing import Any

from ceilometer.agent import Source
from oslo_upgradecheck.upgradecheck import Code, Result

from ceilometer_memballoon import yaml_file
from ceilometer_memballoon.cli.gnocchi_file import granularities, policies_by_metric
from ceilometer_memballoon.cli.installation import Installation
from ceilometer_memballoon.errors import FileError

#: The files in Ceilometer's own package that it uses when the node has none.
CEILOMETER = importlib.resources.files("ceilometer")
STOCK_DEFINITIONS = str(CEILOMETER / "publisher/data/gnocchi_resources.yaml")
STOCK_PIPELINE = str(CEILOMETER / "pipeline/data/pipeline.yaml")
#: The meter of the shipped alarms, and the granularity that they need, in seconds.
ALARMED, MINUTE = "memory.util", 60
STORES_ALL = "Gnocchi stores every selected meter."
SEEN_HERE = "(This check reads this node's files. The notification agent's node may have others.)"


def meters(installation: Installation) -> Result:
    """Check that Gnocchi stores every selected meter, and often enough for the shipped alarms."""
    if not installation.conf.polling.enable_notifications:
        return Result(Code.SUCCESS, "Not used: [polling] enable_notifications is false.")
    publishers = list(_publishers(installation))
    if not publishers:
        return Result(Code.SUCCESS, "pipeline.yaml has no Gnocchi publisher.")
    results = [_check_publisher(publisher, installation) for publisher in publishers]
    return max(results, key=lambda result: int(result.code))


@dataclasses.dataclass(frozen=True)
class Publisher:
    """A Gnocchi publisher in pipeline.yaml. meters: names of the samples that reach it."""

    url: str
    meters: set[str]

    def option(self, name: str) -> str | None:
        """Return the value of a parameter in the URL; None if it is missing."""
        query = urllib.parse.urlparse(self.url).query
        return urllib.parse.parse_qs(query).get(name, [None])[-1]


def _check_publisher(publisher: Publisher, installation: Installation) -> Result:
    """Return the result for one publisher. Raises FileError."""
    name = publisher.option("resources_definition_file") or "gnocchi_resources.yaml"
    path = yaml_file.locate(installation.conf, name, STOCK_DEFINITIONS)
    definitions = yaml_file.read_mapping(path)
    policies = policies_by_metric(definitions, path)
    dropped = sorted(publisher.meters - policies.keys())
    if dropped:
        return Result(
            Code.WARNING,
            f"Gnocchi's publisher would drop {', '.join(dropped)}. Where the notification agent "
            "runs, append etc/ceilometer/gnocchi_resources.memballoon.yaml to its "
            f"{name}. {SEEN_HERE}",
        )
    override = publisher.option("archive_policy")
    if override:
        return _granularity(override, granularities(definitions, path), publisher.url)
    if ALARMED in publisher.meters:
        return _granularity(policies[ALARMED], granularities(definitions, path), path)
    return Result(Code.SUCCESS, STORES_ALL)


def _granularity(policy: str, known: dict[str, set[int]], where: str) -> Result:
    """Return whether the archive policy stores the minutes that an alarm needs.

    where: the file or URL that names the policy.
    """
    kept = known.get(policy)
    if kept is None:
        return Result(
            Code.SUCCESS,
            f"{STORES_ALL} {where} names the archive policy {policy}, which is not defined here. "
            f"Alarms need a policy with a granularity of {MINUTE} s.",
        )
    if MINUTE in kept:
        return Result(Code.SUCCESS, STORES_ALL)
    seconds = ", ".join(f"{one} s" for one in sorted(kept)) or "nothing"
    return Result(
        Code.WARNING,
        f"{where} stores meters with the archive policy {policy}, which has {seconds} and not "
        f"{MINUTE} s, so the shipped alarms can never fire. Use ceilometer-high, or remove "
        "'archive_policy=' from the publisher's URL so that the definitions' policies "
        f"apply. {SEEN_HERE}",
    )


def _publishers(installation: Installation) -> Iterator[Publisher]:
    """Yield the Gnocchi publishers that at least one selected meter reaches."""
    path = yaml_file.locate(installation.conf, installation.conf.pipeline_cfg_file, STOCK_PIPELINE)
    pipeline = yaml_file.read_mapping(path)
    sources = yaml_file.entries(pipeline, "sources", path) if "sources" in pipeline else None
    selected = {meter.name for meter in installation.selected}
    for sink in yaml_file.entries(pipeline, "sinks", path):
        reached = selected if sources is None else _reaching(sink, sources, selected, path)
        for url in yaml_file.names(sink, "publishers", path):
            if reached and _scheme(url, path) == "gnocchi":
                yield Publisher(url, reached)


def _reaching(sink: dict[Any, Any], sources: list[Any], meters: set[str], path: str) -> set[str]:
    """Return the meters that a source sends to the sink."""
    name = yaml_file.name(sink, path)
    return {
        meter
        for source in sources
        if name in yaml_file.names(source, "sinks", path)
        for meter in meters
        if Source.is_supported(yaml_file.names(source, "meters", path), meter)
    }


def _scheme(url: str, path: str) -> str:
    try:
        # Ceilometer also accepts a publisher's name without "://".
        return urllib.parse.urlparse(url).scheme or url
    except ValueError as error:
        raise FileError(f"{path}: publisher {url}: {error}") from error
