# SPDX-License-Identifier: Apache-2.0
"""Discover the instances of this compute node with one question to libvirt in each cycle."""

import dataclasses
import logging
import threading
from typing import Any

from ceilometer.compute.discovery import InstanceDiscovery
from oslo_config import cfg
from oslo_log import log

from ceilometer_memballoon import node, opts
from ceilometer_memballoon.listed_domain import ListedDomain
from ceilometer_memballoon.live_xml import LiveXml
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Record

LOG = log.getLogger(__name__)

#: The name of this discovery in polling.yaml.
NAME = "memballoon_instances"
#: The method that this discovery replaces. The other methods ask Nova and not libvirt.
METHOD = "libvirt_metadata"

#: Subjects of log messages, besides instances.
LIBVIRT = "libvirt"


@dataclasses.dataclass(frozen=True)
class Listed:
    """A discovered instance, and the domain's data from which it was made."""

    record: Record
    xml: LiveXml
    instance: Any


class Discovery(InstanceDiscovery):  # type: ignore[misc]
    """Lists the same instances as Ceilometer's discovery, with the same attributes.

    Ceilometer's own code makes an instance from a domain's XML. This happens once, and again
    when the domain or its XML has changed. A domain that cannot be asked keeps its attributes.
    If libvirt gives no answer, the previous list is used, because pollsters that get no
    instances remove all their values from the exporter.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf)
        opts.register(conf)
        self._listed: dict[str, Listed] = {}
        self._domain: ListedDomain | None = None
        self._problems = ProblemLog()
        self._discovering = threading.Lock()

    @property
    def connection(self) -> ListedDomain | None:
        """The stand-in for the connection that Ceilometer's code uses."""
        return self._domain

    def discover(self, manager: Any, param: Any = None) -> list[Any]:
        """Return the instances. Raises nothing if the method is libvirt_metadata."""
        if self.method != METHOD:
            return list(super().discover(manager, param))
        # Polling tasks of different intervals run in parallel.
        with self._discovering:
            try:
                self._update(manager)
            except Exception as error:
                self._problems.log(
                    LIBVIRT, logging.WARNING,
                    "The agent uses the instances of the last polling cycle again: %s", error,
                )  # fmt: skip
            else:
                self._problems.clear(LIBVIRT, "Instances are discovered again.")
            return [one.instance for one in self._listed.values()]

    def _update(self, manager: Any) -> None:
        domains = node.shared(self.conf).all_domains()
        found = {}
        for record, xml in domains:
            before = self._listed.get(record.uuid)
            try:
                one = self._list(manager, record, xml, before)
            except Exception as error:
                # The metadata are broken, or Nova does not answer Ceilometer's question. Other
                # instances are not affected.
                self._problems.log(
                    record.uuid, logging.WARNING, "Instance %s cannot be discovered: %s",
                    record.uuid, repr(error),
                )  # fmt: skip
                one = before
            if one is not None:
                found[record.uuid] = one
        self._listed = found
        self._problems.forget_all_but({LIBVIRT, *(record.uuid for record, _ in domains)})

    def _list(
        self, manager: Any, record: Record, xml: LiveXml | None, before: Listed | None
    ) -> Listed | None:
        """Return the instance of this domain; None if there is none or its XML was not read."""
        xml = xml or (before.xml if before else None)
        if xml is None:
            LOG.debug("Domain %s is not listed: its XML was not read yet", record.uuid)
            return None
        if before is not None and before.xml is xml and _is_same(before.record, record):
            return before
        domain = ListedDomain(record, xml.identity)
        if not domain.is_nova:
            LOG.debug("Domain %s is not listed: it has no Nova metadata", record.uuid)
            return None
        return self._make(manager, record, xml, domain) or before

    def _make(
        self, manager: Any, record: Record, xml: LiveXml, domain: ListedDomain
    ) -> Listed | None:
        self._domain = domain
        instances = self.discover_libvirt_polling(manager)
        self._problems.clear(record.uuid)
        return Listed(record, xml, instances[0]) if instances else None


def _is_same(before: Record, now: Record) -> bool:
    return (before.boot, before.name, before.state) == (now.boot, now.name, now.state)
