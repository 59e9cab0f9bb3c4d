# SPDX-License-Identifier: Apache-2.0
"""An agent on lab guests and all services behind it, on one machine."""

import contextlib
from collections.abc import Callable
from typing import Self

from ceilometer_memballoon.meters import METERS
from tests.lab.agent import Agent
from tests.lab.chain import certificates
from tests.lab.chain.aetos import Aetos
from tests.lab.chain.aodh import Aodh
from tests.lab.chain.gnocchi import Gnocchi, publisher
from tests.lab.chain.notification import NotificationAgents
from tests.lab.chain.postgresql import PostgreSQL
from tests.lab.chain.prometheus import Prometheus
from tests.lab.chain.pushgateway import Pushgateway
from tests.lab.chain.rabbitmq import RabbitMQ
from tests.lab.chain.webhook import Webhook
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor
from tests.lab.waiting import wait_long_for

#: The host's name, in Ceilometer's configuration and in Prometheus' label.
HOST = "compute-1"
#: Seconds between two polls. Gnocchi and Aodh use it in place of a minute, so everything is twelve
#: times faster than the shipped files.
INTERVAL = 5
TIMES = 60 // INTERVAL
SECONDS = 120
#: The balloons' period in seconds.
PERIOD = 2
#: The options that etc/prometheus/prometheus.yml shows.
TLS = """
prometheus_tls_enable = true
prometheus_tls_certfile = {0.certificate}
prometheus_tls_keyfile = {0.key}
"""


class Chain:
    """The running chain; a context manager that ends it.

    report: called with the name of what is being started.
    """

    def __init__(self, hypervisor: Hypervisor, report: Callable[[str], None] = lambda text: None):
        with contextlib.ExitStack() as starting:
            self._start(hypervisor, starting, report)
            self._running = starting.pop_all()

    def _start(
        self, hypervisor: Hypervisor, running: contextlib.ExitStack, report: Callable[[str], None]
    ) -> None:
        lab = hypervisor.folder
        report("RabbitMQ and PostgreSQL")
        self.rabbitmq = running.enter_context(RabbitMQ(lab))
        self.postgresql = running.enter_context(PostgreSQL(lab))
        report("Gnocchi and a push gateway, and ceilometer-agent-notification to feed them")
        self.pushgateway = running.enter_context(Pushgateway(lab))
        self.gnocchi = running.enter_context(Gnocchi(lab, self.postgresql.database("gnocchi")))
        broker = self.rabbitmq.transport_url
        self.notification = running.enter_context(
            NotificationAgents(
                lab, broker,
                [[publisher(self.gnocchi.folder, INTERVAL), self.pushgateway.publisher]],
                gnocchi=self.gnocchi.url,
            )
        )  # fmt: skip
        report("ceilometer-polling with all meters")
        self.certificates = certificates.for_loopback(lab)
        self.agent = running.enter_context(
            Agent(hypervisor, host=HOST, interval=INTERVAL, period=PERIOD, meters=tuple(METERS),
                  transport_url=broker, extra_metadata=True,
                  authority=self.certificates.authority,
                  polling_options=TLS.format(self.certificates))
        )  # fmt: skip
        report("Prometheus, node_exporter and Aetos")
        self.prometheus = running.enter_context(
            Prometheus(lab, {HOST: self.agent.port}, times=TIMES,
                       authority=self.certificates.authority)
        )  # fmt: skip
        self.aetos = running.enter_context(Aetos(lab, self.prometheus.port))
        report("Aodh and a webhook")
        self.webhook = running.enter_context(Webhook())
        self.aodh = running.enter_context(
            Aodh(lab, self.postgresql.database("aodh"), broker, gnocchi=self.gnocchi.url,
                 prometheus=self.prometheus.url, interval=INTERVAL)
        )  # fmt: skip

    def wait_for_measures(self, guest: Guest) -> None:
        """Wait until Gnocchi has a measure of the guest's memory.util."""
        wait_long_for(
            lambda: self.gnocchi.measures(guest.uuid, "memory.util", INTERVAL),
            SECONDS, "the first measure", self.agent.log_text,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()
