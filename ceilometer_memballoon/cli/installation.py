# SPDX-License-Identifier: Apache-2.0
"""The installation that the checks examine."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ceilometer.polling.manager import PollingSource

from ceilometer_memballoon import polling_file
from ceilometer_memballoon.cli.agent_configuration import Configuration
from ceilometer_memballoon.cli.compute_node import ComputeNode, Guest
from ceilometer_memballoon.errors import NotCheckedError
from ceilometer_memballoon.meters import METERS, Meter

T = TypeVar("T")

#: Names of the checks on which others depend.
READ = "libvirt, to read"
POLLSTERS = "Pollsters"
PERIOD = "mem_stats_period_seconds"


class SharedValue(Generic[T]):
    """A value that several checks need and that is determined once.

    check: the name of the first check that needs it. That check fails if the value cannot be
        found.
    """

    def __init__(self, check: str, find: Callable[[], T]) -> None:
        self._check = check
        self._find = find
        self._found: list[T] = []
        self._has_failed = False

    def get(self) -> T:
        """Return the value.

        Raises the error of the search the first time it fails, and NotCheckedError after that.
        """
        if self._has_failed:
            raise NotCheckedError(f"Not checked because '{self._check}' failed.")
        if not self._found:
            self._has_failed = True
            self._found = [self._find()]
            self._has_failed = False
        return self._found[0]


class Installation:
    """One compute node: its agent's configuration, its guests and its polling.yaml.

    nova_paths: the files and folders of Nova that the operator named.
    """

    def __init__(
        self, configuration: Configuration, node: ComputeNode, nova_paths: list[str]
    ) -> None:
        self.configuration = configuration
        self.node = node
        self.nova_paths = nova_paths
        self._guests = SharedValue(READ, node.guests)
        self._sources = SharedValue(POLLSTERS, lambda: polling_file.read_sources(self.conf))

    @property
    def conf(self) -> Any:
        """The agent's options."""
        return self.configuration.conf

    @property
    def guests(self) -> list[Guest]:
        """The running guests. Raises CommandError, NotCheckedError."""
        return self._guests.get()

    @property
    def sources(self) -> list[PollingSource]:
        """The sources of polling.yaml. Raises FileError, NotCheckedError."""
        return self._sources.get()

    @property
    def selected(self) -> list[Meter]:
        """The plugin's meters that the agent loads and polls. Raises FileError."""
        return [
            meter
            for meter in METERS.values()
            if any(polling_file.selects_by_name(source, meter.pollster) for source in self.sources)
        ]

    @property
    def period(self) -> int:
        """The option's value in seconds."""
        return int(self.conf.libvirt.mem_stats_period_seconds)

    @property
    def period_origin(self) -> str:
        """The file that sets the option, or 'default'."""
        return self.configuration.origin(PERIOD, "libvirt") or "default"
