# SPDX-License-Identifier: Apache-2.0
"""One server of the cloud, created by Nova and controlled like any lab guest."""

import os
import pathlib
import re
import signal
import socket
from typing import TYPE_CHECKING, Any

import libvirt

from tests.lab.waiting import wait_for

if TYPE_CHECKING:
    from tests.lab.cloud.cloud import Cloud
    from tests.lab.cloud.host import Host

BUILD_SECONDS = 180
BOOT_SECONDS = 180
COMMAND_SECONDS = 60
#: The index of the serial port on which the lab's guest accepts commands.
COMMAND_PORT = 1
SERIAL_PORT = re.compile(
    r"<serial type='tcp'>\s*<source mode='bind' host='([^']*)' service='(\d+)'"
)
READY = "lab: ready"


class Server:
    """A server. id: its UUID in Nova, libvirt and Ceilometer."""

    def __init__(self, cloud: "Cloud", server_id: str, name: str) -> None:
        self.cloud = cloud
        self.id = server_id
        self.name = name

    def show(self) -> Any:
        """Return Nova's current view of the server."""
        return self.cloud.admin.compute.get_server(self.id)

    @property
    def host(self) -> "Host":
        """The compute host that the server is on."""
        return self.cloud.hosts[self.show().compute_host]

    @property
    def domain(self) -> libvirt.virDomain:
        """The server's domain, on the host that the server is on."""
        return self.host.hypervisor.connection.lookupByUUIDString(self.id)

    @property
    def pid(self) -> int:
        """The process id of the server's QEMU."""
        mark = f"-uuid\0{self.id}\0".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark in path.read_bytes():
                    return int(path.parent.name)
            except OSError:
                continue
        raise ProcessLookupError(f"no QEMU of {self.name}")

    def wait_for_status(self, *statuses: str, seconds: float = BUILD_SECONDS) -> "Server":
        """Wait until Nova has finished its task and the server has one of these statuses."""

        def settled() -> bool:
            shown = self.show()
            if shown.status == "ERROR" and "ERROR" not in statuses:
                raise RuntimeError(f"{self.name}: {shown.fault}")
            return shown.task_state is None and shown.status in statuses

        wait_for(settled, seconds, f"{self.name} is {' or '.join(statuses)}",
                 lambda: f"{self.show().status} {self.show().task_state}", every=0.5)  # fmt: skip
        return self

    def wait_until_up(self, boots: int = 1) -> "Server":
        """Wait until the server is ACTIVE and its guest has booted for the ``boots``-th time."""
        self.wait_for_status("ACTIVE")
        wait_for(lambda: self.boots() >= boots, BOOT_SECONDS, f"{self.name} is up",
                 self.console)  # fmt: skip
        return self

    def boots(self) -> int:
        """Return how many times the guest has booted since its console was opened."""
        return self.console().count(READY)

    def console(self) -> str:
        """Return the guest's console so far; empty while there is none."""
        log = self.cloud.folder / "instances" / self.id / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def command(self, *words: str | int) -> None:
        """Send the guest one of init.sh's commands, and wait for its answer."""
        send(self.domain, *words)

    def take(self, mebibytes: int) -> None:
        """Make the guest use this much more memory, in MiB."""
        self.command("take", mebibytes)

    def give_back(self) -> None:
        """Make the guest free all memory that it took."""
        self.command("give")

    def delete(self, seconds: float = BUILD_SECONDS) -> None:
        """Delete the server, and wait until Nova does not list it."""
        compute = self.cloud.admin.compute
        compute.delete_server(self.id, ignore_missing=True)
        wait_for(
            lambda: compute.find_server(self.id, all_projects=True) is None,
            seconds, f"{self.name} is gone", every=0.5,
        )  # fmt: skip

    def signal(self, signum: signal.Signals) -> None:
        """Send the server's QEMU a signal: SIGSTOP (as hung storage does) or SIGCONT."""
        os.kill(self.pid, signum)


def send(domain: libvirt.virDomain, *words: str | int) -> None:
    """Send a server's guest one of init.sh's commands, and wait for its answer."""
    host, number = SERIAL_PORT.findall(domain.XMLDesc())[COMMAND_PORT]
    with socket.create_connection((host, int(number)), COMMAND_SECONDS) as port:
        port.sendall(" ".join(map(str, words)).encode() + b"\n")
        answer = port.makefile(errors="replace").readline().strip()
    if answer != "done":
        raise RuntimeError(f"{domain.name()}: {words}: {answer}")
