# SPDX-License-Identifier: Apache-2.0
"""The pollster class of all meters, and its entry points."""

import contextlib
import functools
import logging
import time
from collections.abc import Iterable
from typing import Any

from ceilometer import sample
from ceilometer.compute.pollsters.util import make_sample_from_instance
from ceilometer.polling import plugin_base
from oslo_config import cfg

from ceilometer_memballoon import (
    binding,
    collector_factory,
    discovery,
    isolation,
    opts,
    polling_file,
    serving,
)
from ceilometer_memballoon.errors import NotSelectedError
from ceilometer_memballoon.meters import METERS, Meter
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.reading import Reading

#: A subject of log messages, besides instances and remedies.
CYCLE = "cycle"


class MemoryPollster(plugin_base.PollsterBase):  # type: ignore[misc]
    """Emits one meter's samples from the readings that all pollsters of a cycle share."""

    def __init__(self, meter: Meter, conf: cfg.ConfigOpts) -> None:
        """Connect to nothing, so that libvirtd may be down when the agent starts."""
        self.meter = meter
        super().__init__(conf)
        self._problems = ProblemLog()
        opts.register(conf)
        binding.log_if_missing()
        # This is the agent's main thread, where shutdown can handle SIGTERM. Invalid options are
        # reported on the first poll, because raising here would stop the agent.
        with contextlib.suppress(cfg.Error, ValueError):
            collector_factory.shared(conf)
            serving.serve(conf)

    def setup_environment(self) -> None:
        """Keep the agent from loading a pollster that polling.yaml does not name.

        Otherwise the installation of the plugin would add meters to a polling.yaml with "*", and
        each sample of memory.usage would be sent twice. Raises NotSelectedError.
        """
        if not polling_file.is_selected_by_name(self.conf, self.meter.pollster):
            raise NotSelectedError(f"polling.yaml does not name {self.meter.pollster}")

    @property
    def default_discovery(self) -> str:
        """The discovery of this host's instances, which is the plugin's if it asks libvirt."""
        is_ours = self.conf.compute.instance_discovery_method == discovery.METHOD
        return discovery.NAME if is_ours else "local_instances"

    def get_samples(
        self, manager: Any, cache: dict[str, Any], resources: Iterable[Any]
    ) -> list[sample.Sample]:
        """Return a sample for each instance whose reading has this meter.

        Raises nothing. An exception would lose the samples that were not sent yet.
        PollsterPermanentError would lose all instances until the agent restarts.
        """
        try:
            self._warn_of_duplicates(manager)
            isolation.warn(manager)
            samples = self._samples(cache, list(resources))
        except Exception as error:
            self._problems.log(
                CYCLE,
                logging.ERROR,
                "No samples of %s: %s",
                self.meter.name,
                repr(error),
                trace=True,
            )
            return []
        self._problems.clear(CYCLE)
        return samples

    def _warn_of_duplicates(self, manager: Any) -> None:
        """Warn once if polling.yaml selects a stock pollster of the same meter."""
        name = self.meter.name
        if any(extension.name == name for extension in manager.extensions):
            for remedy in polling_file.duplicate_remedies(manager.polling_manager.sources, name):
                self._problems.log(
                    remedy, logging.WARNING,
                    "Each sample of %s is sent twice, because a stock pollster sends it too. In "
                    "polling.yaml %s, and restart the agent", name, remedy,
                )  # fmt: skip

    def _samples(self, cache: dict[str, Any], instances: list[Any]) -> list[sample.Sample]:
        uuids = [instance.id for instance in instances]
        readings = collector_factory.shared(self.conf).readings(cache, uuids)
        polled = time.monotonic()
        found = (self._sample_of(one, readings.get(one.id), polled) for one in instances)
        return [one for one in found if one is not None]

    def _sample_of(
        self, instance: Any, reading: Reading | None, polled: float
    ) -> sample.Sample | None:
        volume = None if reading is None else self.meter.volume(reading)
        if volume is None:
            return None
        try:
            return self._sample(instance, volume, polled)
        except Exception as error:
            # Metadata that Ceilometer cannot use must not lose the samples of other instances.
            self._problems.log(
                instance.id, logging.WARNING, "No sample of %s for %s: %s",
                self.meter.name, instance.id, repr(error),
            )  # fmt: skip
            return None

    def _sample(self, instance: Any, volume: float, polled: float) -> sample.Sample:
        return make_sample_from_instance(
            self.conf,
            instance,
            name=self.meter.name,
            type=self.meter.type,
            unit=self.meter.unit,
            volume=volume,
            monotonic_time=polled,
        )


def __getattr__(name: str) -> "functools.partial[MemoryPollster]":
    """Return the pollster of that name, for the entry points in ceilometer.poll.compute."""
    if name not in METERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return functools.partial(MemoryPollster, METERS[name])
