# SPDX-License-Identifier: Apache-2.0
"""Ceilometer's own libvirt inspector, without a connection to libvirt."""

from typing import Any

from ceilometer.compute.virt import inspector as virt_inspector
from ceilometer.compute.virt.libvirt.inspector import LibvirtInspector
from oslo_config import cfg

from ceilometer_memballoon.snapshot_domain import SnapshotDomain


class StockInspector(LibvirtInspector):  # type: ignore[misc]
    """Ceilometer's own inspector, which asks a snapshot instead of libvirt."""

    def __init__(self, conf: cfg.ConfigOpts, domain: SnapshotDomain, deltas: dict[str, Any]):
        # Do not call LibvirtInspector's own constructor, because it connects.
        virt_inspector.Inspector.__init__(self, conf)
        self._domain = domain
        self.cache = deltas

    @property
    def connection(self) -> SnapshotDomain:
        """The stand-in for the connection."""
        return self._domain

    def _lookup_by_uuid(self, instance: Any) -> SnapshotDomain:
        return self._domain
