# SPDX-License-Identifier: Apache-2.0
"""The command that checks the installation on this compute node."""

import argparse
import contextlib
import importlib.resources
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from ceilometer import declarative
from ceilometer.polling import manager
from cliff import command
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands

from ceilometer_memballoon import host as hosts
from ceilometer_memballoon.errors import NoAnswerError, WriteRefusedError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.meters import METERS, Meter
from ceilometer_memballoon.polling_file import doubles, stock_pollsters

#: Seconds that libvirtd may take for one answer.
SECONDS = 5.0
PERIOD = "mem_stats_period_seconds"
#: What Ceilometer falls back to, in its own package.
CEILOMETER = importlib.resources.files("ceilometer")
STOCK_DEFINITIONS = str(CEILOMETER / "publisher/data/gnocchi_resources.yaml")
STOCK_PIPELINE = str(CEILOMETER / "pipeline/data/pipeline.yaml")


class Check(command.Command):  # type: ignore[misc]
    """Check this node's installation: libvirt, the period, polling.yaml, Gnocchi.

    ProblemLog nothing. Run it as the agent's user, for the rights are those of whoever runs
    it. Exit status: 0 all is well, 1 a warning, 2 a failure.
    """

    def take_action(self, arguments: argparse.Namespace) -> int:
        """Print the results; the exit status."""
        with contextlib.closing(hosts.from_conf(self.app.conf)) as host:
            return int(Installation(self.app.conf, host).check())


class Installation(UpgradeCommands):  # type: ignore[misc]
    """The checks, each a Result with what was found and the remedy."""

    display_title = "Installation of ceilometer-memballoon"

    def __init__(self, conf: cfg.ConfigOpts, host: Host) -> None:
        self._conf = conf
        self._host = host

    def read_access(self) -> Result:
        """Whether libvirt can be read."""
        try:
            count = len(self._host.list_domains(SECONDS))
        except NoAnswerError as error:
            return Result(
                Code.FAILURE,
                f"{error}. Start libvirtd, let this user reach its socket, or correct [DEFAULT] "
                "libvirt_uri.",
            )
        return Result(Code.SUCCESS, f"{count} running guests can be read.")

    def write_access(self) -> Result:
        """Whether a period could be set."""
        try:
            with self._host.writer(SECONDS):
                return Result(Code.SUCCESS, "Statistics periods can be set.")
        except (WriteRefusedError, NoAnswerError) as error:
            return Result(
                Code.WARNING,
                f"{error}. Guests that Nova did not switch on cannot be switched on here: let "
                "this user write to libvirt, or hard-reboot them once nova.conf has the option.",
            )

    def period(self) -> Result:
        """The option, and who says so."""
        value = self._conf.libvirt.mem_stats_period_seconds
        found = self._conf.get_location(PERIOD, "libvirt")
        origin = "the default" if found.location.name == "opt_default" else found.detail
        text = f"[libvirt] {PERIOD} is {value}, by {origin}."
        if value > 0:
            return Result(Code.SUCCESS, text)
        return Result(
            Code.WARNING,
            f"{text} No guest is switched on; set it above zero, in nova.conf as well.",
        )

    def pollsters(self) -> Result:
        """What polling.yaml selects, of ours and of the stock ones."""
        sources = self._sources()
        if isinstance(sources, Result):
            return sources
        selected = sorted(meter.pollster for meter in _selected(sources))
        if not selected:
            return Result(
                Code.FAILURE,
                "polling.yaml selects none of this plugin's pollsters. Add memory_usage and "
                "memory_resident to the meters of a source, as in etc/ceilometer/polling.yaml.",
            )
        stock = stock_pollsters() & {meter.name for meter in _selected(sources)}
        remedies = [remedy for name in sorted(stock) for remedy in doubles(sources, name)]
        if remedies:
            return Result(
                Code.WARNING,
                "Stock pollsters send the same samples again: in polling.yaml "
                + ", and ".join(dict.fromkeys(remedies)) + ".",
            )  # fmt: skip
        return Result(Code.SUCCESS, "polling.yaml selects " + ", ".join(selected) + ".")

    def interval(self) -> Result:
        """Whether anything is new at each polling."""
        sources = self._sources()
        if isinstance(sources, Result):
            return sources
        period = self._conf.libvirt.mem_stats_period_seconds
        for source in sources:
            if _selected([source]) and source.get_interval() < period:
                return Result(
                    Code.WARNING,
                    f"Source {source.name} is polled each {source.get_interval()} s, but guests "
                    f"report each {period} s: the same numbers are sent again. Raise its interval "
                    f"in polling.yaml, or lower [libvirt] {PERIOD}.",
                )
        return Result(Code.SUCCESS, "No source is polled more often than guests report.")

    def gnocchi(self) -> Result:
        """Whether Gnocchi's publisher would drop any meter that is selected."""
        sources = self._sources()
        if isinstance(sources, Result):
            return sources
        files = list(self._definition_files())
        if not files:
            return Result(Code.SUCCESS, "No publisher in pipeline.yaml is Gnocchi's.")
        listed = {metric for file in files for metric in self._listed(file)}
        dropped = sorted({meter.name for meter in _selected(sources)} - listed)
        if dropped:
            return Result(
                Code.WARNING,
                f"Gnocchi's publisher would drop {', '.join(dropped)}. Where the notification "
                "agent runs, append etc/ceilometer/gnocchi_resources.memballoon.yaml to its "
                f"{files[0]}. (This is what is seen on this node; it may differ there.)",
            )
        return Result(Code.SUCCESS, "Gnocchi's definitions list every meter that is selected.")

    _upgrade_checks: tuple[tuple[str, Callable[["Installation"], Result]], ...] = (
        ("libvirt, to read", read_access),
        ("libvirt, to set periods", write_access),
        ("Statistics period", period),
        ("Pollsters", pollsters),
        ("Polling interval", interval),
        ("Gnocchi", gnocchi),
    )

    def _sources(self) -> list[Any] | Result:
        """Those of polling.yaml, or a Result that says what is wrong with it."""
        try:
            return list(manager.PollingManager(self._conf).sources)
        except Exception as error:
            # Whatever is wrong with the file, from YAML to meters that exclude each other.
            return Result(
                Code.FAILURE, f"polling.yaml cannot be used: {' '.join(str(error).split())}"
            )

    def _definition_files(self) -> Iterator[str]:
        """Of each Gnocchi publisher in pipeline.yaml."""
        pipeline = declarative.load_definitions(
            self._conf, {}, self._conf.pipeline_cfg_file, STOCK_PIPELINE
        )
        for sink in pipeline.get("sinks", []):
            for address in map(urllib.parse.urlparse, sink.get("publishers", [])):
                if address.scheme == "gnocchi":
                    query = urllib.parse.parse_qs(address.query)
                    yield query.get("resources_definition_file", ["gnocchi_resources.yaml"])[-1]

    def _listed(self, file: str) -> set[str]:
        definitions = declarative.load_definitions(self._conf, {}, file, STOCK_DEFINITIONS)
        return {metric for one in definitions.get("resources", []) for metric in one["metrics"]}


def _selected(sources: list[Any]) -> list[Meter]:
    return [
        meter
        for meter in METERS.values()
        if any(source.support_meter(meter.pollster) for source in sources)
    ]
