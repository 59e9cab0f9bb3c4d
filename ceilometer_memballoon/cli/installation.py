# SPDX-License-Identifier: Apache-2.0
"""What the checks look at."""

import dataclasses
import functools
from typing import Any

from ceilometer.polling.manager import PollingSource

from ceilometer_memballoon import polling_file
from ceilometer_memballoon.cli.configuration import Configuration
from ceilometer_memballoon.cli.node import Guest, Node
from ceilometer_memballoon.errors import FileError
from ceilometer_memballoon.meters import METERS, Meter

PERIOD = "mem_stats_period_seconds"


@dataclasses.dataclass(frozen=True)
class Installation:
    """One compute node. nova_paths: files and folders of Nova's that were given."""

    configuration: Configuration
    node: Node
    nova_paths: list[str]

    @property
    def conf(self) -> Any:
        """The agent's options."""
        return self.configuration.conf

    @functools.cached_property
    def guests(self) -> list[Guest]:
        """The running guests. Raises CommandError."""
        return self.node.guests()

    @functools.cached_property
    def sources(self) -> list[PollingSource]:
        """Those of polling.yaml. Raises FileError."""
        try:
            return polling_file.read_sources(self.conf)
        except FileError as error:
            raise FileError(f"polling.yaml cannot be used: {error}") from error

    @property
    def selected(self) -> list[Meter]:
        """The plugin's meters that the agent loads and polls. Raises FileError."""
        return [
            meter
            for meter in METERS.values()
            if any(polling_file.asks_for(source, meter.pollster) for source in self.sources)
        ]

    @property
    def period(self) -> int:
        """The option's value in seconds."""
        return int(self.conf.libvirt.mem_stats_period_seconds)

    @property
    def period_origin(self) -> str:
        """Who sets the option."""
        return self.configuration.origin(PERIOD, "libvirt") or "default"
