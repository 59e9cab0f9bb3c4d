# SPDX-License-Identifier: Apache-2.0
"""One compute host: a libvirtd that runs as root, nova-compute and the polling agent."""

import os
import pathlib
import signal
from typing import Any, Self

from tests.lab import image
from tests.lab.agent import free_port
from tests.lab.chain.service import Service, program
from tests.lab.cloud import nova
from tests.lab.cloud.ceilometer import INTERVAL, PollingAgent
from tests.lab.cloud.libvirtd import HostHypervisor
from tests.lab.cloud.site import Site

#: The first port for servers' serial ports. It is below the kernel's range of ephemeral ports.
SERIAL_PORTS = "20000:32000"
#: Seconds that nova-compute waits for running operations before it ends. A lab has none that
#: matter.
STOP_SECONDS = 5

CONFIG = """
[DEFAULT]
transport_url = {transport_url}
state_path = {folder}
instances_path = {instances}
compute_driver = libvirt.LibvirtDriver
host = {name}
my_ip = 127.0.0.1
use_cow_images = true
heal_instance_info_cache_interval = -1
shutdown_timeout = 1
graceful_shutdown_timeout = {stop}
[vnc]
enabled = false
[spice]
enabled = false
[serial_console]
enabled = true
port_range = {serial_ports}
proxyclient_address = {address}
[libvirt]
virt_type = qemu
cpu_mode = none
connection_uri = {uri}
mem_stats_period_seconds = {period}
tb_cache_size = 32
inject_partition = -2
# The lab's guest does not react to ACPI, so Nova falls back to a hard reboot.
wait_soft_reboot_seconds = 2
live_migration_uri = qemu+unix:///system?socket={sockets}/%s
live_migration_inbound_addr = {address}
[workarounds]
disable_rootwrap = true
{privsep}
{common}
"""
#: The contexts for which nova-compute starts a privileged helper.
PRIVSEP = (
    "privsep", "nova_sys_admin", "privsep_osbrick",
    "vif_plug_ovs_privileged", "vif_plug_linux_bridge_privileged",
)  # fmt: skip


def _network() -> str:
    """Return two parts of a loopback address that no other process's cloud uses.

    Two clouds at one address would take the same port for two servers.
    """
    first, second = divmod(os.getpid(), 250)
    return f"{first % 250 + 1}.{second}"


class Host:
    """A running compute host; a context manager that ends it.

    number: Its number from 1, for its name and its address.
    cloud: The cloud's folder; this host's lab if None. All hosts share the servers' disks in it.
    interval: Seconds between two polls of its agent.
    port: The port of its agent's exporter.
    """

    def __init__(
        self, number: int, cloud: pathlib.Path | None = None, *, interval: int = INTERVAL
    ) -> None:
        self.name = f"compute-{number}"
        self.address = f"127.{_network()}.{number}"
        self.interval = interval
        self.port = free_port()
        self.agent: PollingAgent | None = None
        self.hypervisor = HostHypervisor(self.name, self.address, cloud)
        self.cloud = cloud = self.hypervisor.cloud
        (cloud / "sockets").mkdir(exist_ok=True)
        (cloud / "sockets" / self.address).symlink_to(self.hypervisor.socket)

    def start_compute(self, site: Site) -> None:
        """Start nova-compute, with Nova's default period."""
        self._site = site
        self.folder = self.cloud / self.name
        self.folder.mkdir()
        (self.cloud / "instances").mkdir(exist_ok=True)
        self.nova_conf = self.folder / "nova.conf"
        self._write_nova_conf(10)
        command = [program("nova-compute"), "--config-file", self.nova_conf]
        qemu_img = image.unpacked("qemu-utils") / "usr/bin"
        own = program("nova-compute").parent
        self.compute = Service(
            self.folder, "nova-compute", command,
            environment={"PATH": f"{own}:{qemu_img}:/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip

    def stop_compute(self) -> None:
        """Kill nova-compute. Its servers keep running."""
        self.compute.stop(signal.SIGKILL)

    def restart_compute(self, period: int) -> None:
        """Start nova-compute again with another [libvirt] mem_stats_period_seconds."""
        self._write_nova_conf(period)
        self.compute.start()

    def start_agent(self, uri: str = "", **options: Any) -> PollingAgent:
        """Start the polling agent in place of the running one.

        uri: Another address of libvirt than the read-write socket's. options: As PollingAgent.
        """
        self.stop_agent()
        uri = uri or self.hypervisor.uri
        options = {"interval": self.interval, **options}
        self.agent = PollingAgent(self._site, self.cloud, self.name, uri, port=self.port, **options)
        return self.agent

    def stop_agent(self) -> None:
        """End the polling agent if it runs."""
        if self.agent is not None:
            self.agent.__exit__(None, None, None)
            self.agent = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Kill all processes of the host's folder, and remove it."""
        self.hypervisor.close()

    def _write_nova_conf(self, period: int) -> None:
        helper = f"helper_command = {program('privsep-helper')} --config-file {self.nova_conf}"
        self.nova_conf.write_text(
            CONFIG.format(
                transport_url=self._site.transport_url,
                folder=self.folder,
                instances=self.cloud / "instances",
                name=self.name,
                stop=STOP_SECONDS,
                serial_ports=SERIAL_PORTS,
                address=self.address,
                uri=self.hypervisor.uri,
                period=period,
                sockets=self.cloud / "sockets",
                privsep="\n".join(f"[{context}]\n{helper}" for context in PRIVSEP),
                common=nova.common(self._site, self.folder),
            )
        )
