# SPDX-License-Identifier: Apache-2.0
"""All of it on one machine: an OpenStack with two compute hosts."""

import concurrent.futures
import contextlib
import pathlib
import signal
import time
from collections.abc import Callable
from typing import Any, Self

from tests.lab.chain import service
from tests.lab.chain.postgresql import PostgreSQL
from tests.lab.chain.prometheus import Prometheus
from tests.lab.chain.rabbitmq import RabbitMQ
from tests.lab.chain.webhook import Webhook
from tests.lab.cloud.aodh import Aodh
from tests.lab.cloud.ceilometer import NotificationAgent
from tests.lab.cloud.content import fill
from tests.lab.cloud.glance import Glance
from tests.lab.cloud.gnocchi import Gnocchi
from tests.lab.cloud.heat import Heat
from tests.lab.cloud.host import Host
from tests.lab.cloud.keystone import Keystone
from tests.lab.cloud.neutron import Neutron
from tests.lab.cloud.nova import Nova
from tests.lab.cloud.placement import Placement
from tests.lab.cloud.server import Server
from tests.lab.cloud.site import Site
from tests.lab.waiting import wait_for

#: How many services come up at a time: what they do first keeps a core each.
AT_A_TIME = 3
CONNECTIONS = 400
HOSTS_SECONDS = 180
#: Prometheus scrapes and its rules look so many times more often than what is shipped.
TIMES = 6
QUERY_SECONDS = 30
NOT_FOUND = 404
SCRIPTS = pathlib.Path(__file__).parents[3] / "etc/aodh"

Say = Callable[[str], None]


class Cloud:
    """The running cloud; a context manager that ends it.

    say: called with the name of what is being started; hosts: by name; admin,
    member: openstacksdk's connections; content: image and flavors.
    """

    def __init__(self, say: Say = lambda text: None) -> None:
        self._begin = time.monotonic()
        self._print_line = say
        self._services: list[service.Services] = []
        with contextlib.ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()

    def server(
        self, name: str, *, flavor: str = "lab", host: str | None = None, **options: Any
    ) -> Server:
        """Have Nova build a server.

        host: where to build it; None leaves that to the scheduler. Only an administrator may
        choose, and then owns the server. options: further ones of Nova's API.
        """
        connection = self.member
        if host is not None:
            connection, options = self.admin, {**options, "host": host}
        made = connection.compute.create_server(
            name=name,
            image_id=self.content.image_id,
            flavor_id=self.content.flavor_ids[flavor],
            networks="none",
            **options,
        )
        return Server(self, made.id, name)

    def set_period(self, host: Host, period: int) -> None:
        """Restart the host's nova-compute with another [libvirt] mem_stats_period_seconds.

        Waits until it takes orders: it fails servers that are given to it while it starts.
        """
        host.stop_compute()
        before = self._heartbeat(host)
        host.restart_compute(period)
        wait_for(lambda: self._heartbeat(host) != before, HOSTS_SECONDS, "nova-compute", every=1.0)

    def get(self, service: str, path: str) -> Any:
        """What a service's API answers to the member; None where there is no such thing."""
        answer = self.member.session.get(
            self.site.url(service) + path, timeout=QUERY_SECONDS, raise_exc=False
        )
        if answer.status_code == NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json()

    def measures(self, server: str, meter: str, granularity: float) -> list[tuple[str, float]]:
        """Time and mean of each interval that Gnocchi keeps; empty without such a metric."""
        path = f"/v1/resource/instance/{server}/metric/{meter}/measures"
        found = self.get("gnocchi", f"{path}?granularity={granularity}&refresh=true")
        return [(when, value) for when, _, value in found or []]

    def create_alarm(self, script: str, **settings: str) -> str:
        """Run a script of etc/aodh/ as the member; the alarm's id."""
        before = self._alarms()
        environment = {**self.site.environment(), **settings}
        service.run(self.folder, "sh", SCRIPTS / script, environment=environment)
        (made,) = self._alarms() - before
        return made

    def close(self) -> None:
        """End everything."""
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self, running: contextlib.ExitStack) -> None:
        self._say("two libvirtds, PostgreSQL and RabbitMQ")
        first = running.enter_context(Host(1))
        self.folder = first.cloud
        second = running.enter_context(Host(2, self.folder))
        self.hosts = {host.name: host for host in (first, second)}
        self.postgresql = PostgreSQL(self.folder, connections=CONNECTIONS)
        # All else is killed with the folder; a killed PostgreSQL leaves shared memory behind.
        running.callback(self.postgresql.stop, signal.SIGINT)
        self.rabbitmq = RabbitMQ(self.folder)
        self.site = site = Site(self.folder, self.postgresql, self.rabbitmq)
        self.prometheus = Prometheus(
            self.folder,
            {host.name: host.port for host in self.hosts.values()},
            times=TIMES,
            authority=site.certificates.authority,
        )
        self.webhook = running.enter_context(Webhook())
        self._say("Keystone, Placement, Glance, Neutron")
        self._start_together(
            lambda: Keystone(site), lambda: Placement(site), lambda: Glance(site),
            lambda: Neutron(site),
        )  # fmt: skip
        self.admin, self.member = site.connect("admin"), site.connect()
        # Neutron can list ports only after a first query of anything else: SQLAlchemy links
        # its models then.
        list(self.admin.network.networks())
        # Conductor and scheduler end if Keystone names a Placement that does not answer.
        self._say("Nova, Gnocchi, Aodh, Heat")
        self._start_together(
            lambda: Nova(site), lambda: Gnocchi(site),
            lambda: Aodh(site, self.prometheus.port), lambda: Heat(site),
        )  # fmt: skip
        self._say("nova-compute and Ceilometer's agents")
        for host in self.hosts.values():
            host.start_compute(site)
        self._start_together(lambda: NotificationAgent(site))
        self.content = fill(self.folder, self.admin)
        for host in self.hosts.values():
            host.start_agent()
        self._say("servers, as soon as the hosts are known")
        wait_for(self._hosts_are_known, HOSTS_SECONDS, "hosts are known", every=1.0)

    def _alarms(self) -> set[str]:
        return {alarm["alarm_id"] for alarm in self.get("aodh", "/v2/alarms")}

    def _start_together(self, *makers: Callable[[], Any]) -> None:
        """Start services beside each other."""
        executor = concurrent.futures.ThreadPoolExecutor(AT_A_TIME)
        try:
            futures = [executor.submit(maker) for maker in makers]
            for future in concurrent.futures.as_completed(futures):
                made = future.result()
                self._services.append(made)
                self._say(f"  {type(made).__name__} is up", starting=False)
        finally:
            # What is still being started ends with the cloud's folder.
            executor.shutdown(wait=False, cancel_futures=True)

    def _heartbeat(self, host: Host) -> str:
        (found,) = self.admin.compute.services(host=host.name, binary="nova-compute")
        return str(found.updated_at)

    def _hosts_are_known(self) -> bool:
        for one in self._services:
            one.check()
        return len(list(self.admin.compute.hypervisors())) == len(self.hosts)

    def _say(self, text: str, *, starting: bool = True) -> None:
        seconds = time.monotonic() - self._begin
        self._print_line(f"{seconds:4.0f} s  {'starting ' if starting else ''}{text}")
