# SPDX-License-Identifier: Apache-2.0
"""An OpenStack with two compute hosts on one machine."""

import concurrent.futures
import contextlib
import pathlib
import re
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
from tests.lab.cloud.ceilometer import INTERVAL, NotificationAgent
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

#: How many services start at the same time. Each one uses a CPU core while it starts.
AT_A_TIME = 3
CONNECTIONS = 400
HOSTS_SECONDS = 180
#: The factor by which Prometheus' scraping and the times of its rules are faster than the shipped
#: ones.
TIMES = 6
QUERY_SECONDS = 30
NOT_FOUND = 404
SCRIPTS = pathlib.Path(__file__).parents[3] / "etc/aodh"
#: The id in the table that ``openstack alarm create`` prints.
ALARM_ID = re.compile(r"\| alarm_id +\| (\S+)")

Report = Callable[[str], None]


class Cloud:
    """The running cloud; a context manager that ends it.

    report: Called with the name of what is being started.
    interval: Seconds between two polls of the hosts' agents.
    hosts: Compute hosts by name.
    admin, member: Connections of openstacksdk.
    content: The image and the flavors.
    """

    def __init__(self, report: Report = lambda text: None, *, interval: int = INTERVAL) -> None:
        self._begin = time.monotonic()
        self._print_line = report
        self._interval = interval
        self._services: list[service.Services] = []
        with contextlib.ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()

    def server(
        self, name: str, *, flavor: str = "lab", host: str | None = None, **options: Any
    ) -> Server:
        """Create a server.

        host: Where to build it; None leaves that to the scheduler. Only an administrator may choose
            a host, and then owns the server.
        options: Further options of Nova's API.
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

        Waits until nova-compute accepts requests, because it fails servers that it gets while it
        starts.
        """
        host.stop_compute()
        before = self._heartbeat(host)
        host.restart_compute(period)
        wait_for(lambda: self._heartbeat(host) != before, HOSTS_SECONDS, "nova-compute", every=1.0)

    def get(self, service: str, path: str) -> Any:
        """Return a service's answer to the member; None if there is no such resource."""
        answer = self.member.session.get(
            self.site.url(service) + path, timeout=QUERY_SECONDS, raise_exc=False
        )
        if answer.status_code == NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json()

    def measures(self, server: str, meter: str, granularity: float) -> list[tuple[str, float]]:
        """Return time and mean of each interval in Gnocchi; empty without such a metric."""
        path = f"/v1/resource/instance/{server}/metric/{meter}/measures"
        found = self.get("gnocchi", f"{path}?granularity={granularity}&refresh=true")
        return [(when, value) for when, _, value in found or []]

    def create_alarm(self, script: str, **settings: str) -> str:
        """Run a script of etc/aodh/ as the member. Return the alarm's id."""
        environment = {**self.site.environment(), **settings}
        printed = service.run(self.folder, "sh", SCRIPTS / script, environment=environment)
        (made,) = ALARM_ID.findall(printed)
        return str(made)

    def close(self) -> None:
        """End all processes."""
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self, running: contextlib.ExitStack) -> None:
        self._report("two libvirtds, PostgreSQL and RabbitMQ")
        first = running.enter_context(Host(1, interval=self._interval))
        self.folder = first.cloud
        second = running.enter_context(Host(2, self.folder, interval=self._interval))
        self.hosts = {host.name: host for host in (first, second)}
        self.postgresql = PostgreSQL(self.folder, connections=CONNECTIONS)
        # All other processes are killed with the folder. A killed PostgreSQL leaves shared memory
        # behind.
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
        self._report("Keystone, Placement, Glance, Neutron")
        self._start_together(
            lambda: Keystone(site), lambda: Placement(site), lambda: Glance(site),
            lambda: Neutron(site),
        )  # fmt: skip
        self.admin, self.member = site.connect("admin"), site.connect()
        # Neutron can list ports only after a query of another kind, because SQLAlchemy links its
        # models at the first query.
        list(self.admin.network.networks())
        # Conductor and scheduler end if the Placement in Keystone's catalog does not answer.
        self._report("Nova, Gnocchi, Aodh, Heat")
        self._start_together(
            lambda: Nova(site), lambda: Gnocchi(site),
            lambda: Aodh(site, self.prometheus.port), lambda: Heat(site),
        )  # fmt: skip
        self._report("nova-compute and Ceilometer's agents")
        for host in self.hosts.values():
            host.start_compute(site)
        self._start_together(lambda: NotificationAgent(site))
        self.content = fill(self.folder, self.admin)
        for host in self.hosts.values():
            host.start_agent()
        self._report("servers, as soon as the hosts are known")
        wait_for(self._hosts_are_known, HOSTS_SECONDS, "hosts are known", every=1.0)

    def _start_together(self, *makers: Callable[[], Any]) -> None:
        """Start services at the same time."""
        executor = concurrent.futures.ThreadPoolExecutor(AT_A_TIME)
        try:
            futures = [executor.submit(maker) for maker in makers]
            for future in concurrent.futures.as_completed(futures):
                made = future.result()
                self._services.append(made)
                self._report(f"  {type(made).__name__} is up", starting=False)
        finally:
            # Services that are still starting end with the cloud's folder.
            executor.shutdown(wait=False, cancel_futures=True)

    def _heartbeat(self, host: Host) -> str:
        (found,) = self.admin.compute.services(host=host.name, binary="nova-compute")
        return str(found.updated_at)

    def _hosts_are_known(self) -> bool:
        for one in self._services:
            one.check()
        return len(list(self.admin.compute.hypervisors())) == len(self.hosts)

    def _report(self, text: str, *, starting: bool = True) -> None:
        seconds = time.monotonic() - self._begin
        self._print_line(f"{seconds:4.0f} s  {'starting ' if starting else ''}{text}")
