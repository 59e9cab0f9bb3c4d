# SPDX-License-Identifier: Apache-2.0
"""Ceilometer's own libvirt pollsters and discovery, run in this process."""

import contextlib
import dataclasses
import importlib.metadata
from typing import Any

from ceilometer import service
from ceilometer.compute.discovery import InstanceDiscovery
from ceilometer.compute.pollsters import GenericComputePollster
from ceilometer.compute.virt.libvirt.inspector import LibvirtInspector
from ceilometer.polling import plugin_base
from oslo_config import cfg

from ceilometer_memballoon import node, opts
from ceilometer_memballoon.discovery import Discovery
from ceilometer_memballoon.inspector import Inspector
from tests.lab.agent import configure
from tests.lab.hypervisor import Hypervisor

#: MiB by which a guest's memory may change between two reads.
MEMORY_NOISE = 8

#: What identifies a sample: its name, type, unit, resource, user, project and metadata.
Identity = tuple[str, ...]


class Stock:
    """The installed Ceilometer's libvirt pollsters on a lab.

    stock, ours: The two inspectors that the same pollsters can use.
    options: As tests.lab.agent.configure().
    """

    def __init__(self, hypervisor: Hypervisor, **options: Any) -> None:
        file, _ = configure(hypervisor, **options)
        self.conf = prepare(str(file))
        self.stock = LibvirtInspector(self.conf)
        self.node = node.shared(self.conf)
        self.ours = Inspector(self.conf, self.node)
        self.discovery = InstanceDiscovery(self.conf)
        self.our_discovery = Discovery(self.conf)

    def instances(self) -> list[Any]:
        """Return the instances that Ceilometer's own discovery lists."""
        return list(self.discovery.discover(None))

    def samples(self, inspector: Any, instances: list[Any]) -> dict[Identity, float]:
        """Return the samples of one cycle of all libvirt pollsters that use this inspector."""
        cache: dict[str, Any] = {}
        found = {}
        for kind in pollsters().values():
            pollster = kind.__new__(kind)
            pollster.conf, pollster.inspector = self.conf, inspector
            # No libvirt inspector has rates.
            with contextlib.suppress(plugin_base.PollsterPermanentError):
                for one in pollster.get_samples(manager=None, cache=cache, resources=instances):
                    found[identity(one)] = one.volume
        return found


def pollsters() -> dict[str, type[GenericComputePollster]]:
    """Return Ceilometer's own pollsters that use an inspector, by name."""
    points = importlib.metadata.entry_points(group="ceilometer.poll.compute")
    kinds = {
        point.name: point.load()
        for point in points
        if point.module.startswith("ceilometer.compute.pollsters.")
    }
    return {name: kind for name, kind in kinds.items() if issubclass(kind, GenericComputePollster)}


def identity(sample: Any) -> Identity:
    """Return the fields that two samples of the same quantity have in common."""
    fields = ("name", "type", "unit", "resource_id", "user_id", "project_id", "resource_metadata")
    return tuple(str(getattr(sample, field)) for field in fields)


def prepare(file: str) -> cfg.ConfigOpts:
    """Return the configuration in a ceilometer.conf, with the plugin's options."""
    conf = service.prepare_service(["stock", "--config-file", file])
    opts.register(conf)
    return conf


def attributes(instance: Any) -> dict[str, Any]:
    """Return all attributes of an instance."""
    return dict(vars(instance))


@dataclasses.dataclass(frozen=True)
class Triple:
    """Samples of the stock inspector, of ours, and of the stock one again."""

    before: dict[Identity, float]
    ours: dict[Identity, float]
    after: dict[Identity, float]

    def differences(self) -> list[str]:
        """Return the samples that only one side has, and volumes outside stock's two volumes."""
        lacking = [f"lacks {one}" for one in self.before if one not in self.ours]
        more = [f"has {one}" for one in self.ours if one not in self.before]
        return (
            lacking
            + more
            + [
                f"{one}: {volume} is not between {self.before[one]} and {self.after[one]}"
                for one, volume in self.ours.items()
                if one in self.before and one in self.after and not self._is_between(one, volume)
            ]
        )

    def _is_between(self, one: Identity, volume: float) -> bool:
        low, high = sorted((self.before[one], self.after[one]))
        noise = MEMORY_NOISE if one[0].startswith("memory.") else 0
        return low - noise <= volume <= high + noise


def triple(stock: Stock, instances: list[Any] | None = None) -> Triple:
    """Run one cycle of each inspector."""
    wanted = stock.instances() if instances is None else instances
    return Triple(
        stock.samples(stock.stock, wanted),
        stock.samples(stock.ours, wanted),
        stock.samples(stock.stock, wanted),
    )
