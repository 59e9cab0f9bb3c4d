# SPDX-License-Identifier: Apache-2.0
"""Boot and control one lab guest."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import uuid as uuids
from xml.sax.saxutils import escape, quoteattr

import libvirt

from ceilometer_memballoon.domain_xml import parse_balloon
from tests.lab import nova
from tests.lab.hypervisor import Hypervisor
from tests.lab.image import Image
from tests.lab.waiting import wait_for

BOOT_SECONDS = 120
COMMAND_SECONDS = 60
LOWEST_PRIORITY = 19
GONE = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
PROJECT = "1f0a5c3e8d7b4f6a9c2e4d6b8a0c1e3f"
USER = "9b7d5f3a1c8e4b6d8f0a2c4e6b8d0f1a"

#: The statistics that a guest can forge, by libvirt's names, in the order of virtio's tags
#: (forge.c).
TAGS = (
    "swap_in", "swap_out", "major_fault", "minor_fault",
    "unused", "available", "usable", "disk_caches",
)  # fmt: skip

IMAGE = "6c3a1f58-0d2b-4e79-9a64-5b8c7d1e2f30"

#: Nova 34's metadata of an instance without a port.
METADATA = """
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:package version="34.0.0"/>
      <nova:name>{display_name}</nova:name>
      <nova:creationTime>2026-01-01 00:00:00</nova:creationTime>
      <nova:flavor name="lab" id="42">
        <nova:memory>{memory}</nova:memory>
        <nova:disk>0</nova:disk>
        <nova:swap>0</nova:swap>
        <nova:ephemeral>0</nova:ephemeral>
        <nova:vcpus>1</nova:vcpus>
        <nova:extraSpecs/>
      </nova:flavor>
      <nova:image uuid="{image}">
        <nova:containerFormat>bare</nova:containerFormat>
        <nova:diskFormat>raw</nova:diskFormat>
        <nova:minDisk>1</nova:minDisk>
        <nova:minRam>0</nova:minRam>
        <nova:properties>
          <nova:property name="os_command_line">console=ttyS0 quiet</nova:property>
        </nova:properties>
      </nova:image>
      <nova:owner>
        <nova:user uuid="{user}">lab</nova:user>
        <nova:project uuid="{project}">lab</nova:project>
      </nova:owner>
      <nova:root type="image" uuid="{image}"/>
      <nova:ports/>
    </nova:instance>
"""

#: no_timer_check: on a busy host TCG delivers a timer late. The kernel checks that timer and would
#: panic ("IO-APIC + timer doesn't work"). nokaslr, cryptomgr.notests: relocating the kernel and
#: testing its ciphers take a sixth of the CPU time of a boot under emulation.
OPTIONS = "no_timer_check nokaslr cryptomgr.notests"
DOMAIN = """
<domain type="qemu">
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <metadata>{metadata}</metadata>
  <memory unit="MiB">{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch="x86_64" machine="pc">hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>console=ttyS0 quiet {options}{cmdline}</cmdline>
  </os>
  <features><acpi/><tcg><tb-cache unit="MiB">32</tb-cache></tcg></features>
  <on_reboot>restart</on_reboot>
  <devices>
    <emulator>{emulator}</emulator>
    <serial type="file"><source path="{folder}/{name}.log"/><target port="0"/></serial>
    <serial type="unix"><source mode="bind" path="{folder}/{name}.sock"/><target port="1"/></serial>
    {devices}
    <memballoon model={model} autodeflate="on" freePageReporting="on">{stats}</memballoon>
  </devices>
</domain>
"""


class Guest:
    """One domain of a lab, which boots when it is constructed.

    name: The domain's name, as Nova sets it.
    display_name: The instance's name that the user chose.
    period: The balloon's statistics period in seconds at boot; None for a balloon without one.
    driver: Whether the guest loads virtio_balloon.
    model: The memballoon's model.
    memory: MiB. The guest does not boot with less than 96.
    paused: Whether it starts paused and never runs.
    forge: Whether it can forge its statistics.
    emulator: The program that runs it.
    server_group: The server group in Nova's answer.
    suite: The Debian release of its kernel; None for this machine's.
    devices: XML of further devices, such as those of tests.lab.devices.
    metadata: Metadata to use instead of Nova's.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        name: str,
        *,
        display_name: str | None = None,
        period: int | None = 10,
        driver: bool = True,
        model: str = "virtio",
        memory: int = 96,
        paused: bool = False,
        forge: bool = False,
        emulator: str = "/usr/bin/qemu-system-x86_64",
        server_group: str | None = None,
        suite: str | None = None,
        devices: str = "",
        metadata: str | None = None,
    ) -> None:
        self.hypervisor = hypervisor
        self.name = name
        self.uuid = str(uuids.uuid4())
        self.display_name = display_name or name
        self.memory = memory
        self._devices = devices
        self._metadata = metadata
        if server_group is not None:
            nova.server_groups[self.uuid] = server_group
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        image = hypervisor.image(forge=forge, suite=suite)
        xml = self._xml(period, driver, model, image, emulator)
        hypervisor.connection.createXML(xml, flags)

    @property
    def domain(self) -> libvirt.virDomain:
        """Return the libvirt domain."""
        return self.hypervisor.connection.lookupByUUIDString(self.uuid)

    @property
    def pid(self) -> int:
        """The QEMU process's id."""
        runtime = self.hypervisor.folder / "run/libvirt/qemu/run"
        return int((runtime / f"{self.name}.pid").read_text())

    @property
    def console(self) -> pathlib.Path:
        """The file of the guest's console."""
        return self.hypervisor.folder / f"{self.name}.log"

    def wait_until_up(self, boots: int = 1) -> "Guest":
        """Wait until the guest has booted for the ``boots``-th time and accepts commands."""
        wait_for(
            lambda: self.has_booted(boots),
            BOOT_SECONDS,
            f"{self.name} is up",
            hint=self._console_text,
        )
        return self

    def has_booted(self, boots: int = 1) -> bool:
        """Return whether the guest has booted this many times."""
        return self._console_text().count("lab: ready") >= boots

    def command(self, *words: str | int, answered: bool = True) -> list[str]:
        """Send the guest one of init.sh's commands. Wait for its answer if it gives one.

        Returns the lines that the command prints. Raises RuntimeError if the command fails.
        """
        printed: list[str] = []
        with socket.socket(socket.AF_UNIX) as port:
            port.settimeout(COMMAND_SECONDS)
            port.connect(str(self.hypervisor.folder / f"{self.name}.sock"))
            port.sendall(" ".join(map(str, words)).encode() + b"\n")
            lines = port.makefile()
            while answered and (line := lines.readline().strip()) != "done":
                if line in {"failed", ""}:
                    raise RuntimeError(f"{self.name}: {words}: {printed} {line}")
                printed.append(line)
        return printed

    def meminfo(self) -> dict[str, int]:
        """Return the guest's own /proc/meminfo: values in KiB by name."""
        lines = (line.split() for line in self.command("meminfo"))
        return {words[0].rstrip(":"): int(words[1]) for words in lines}

    def used(self) -> int:
        """Return the memory in use by the guest's own /proc/meminfo, in KiB."""
        meminfo = self.meminfo()
        return meminfo["MemTotal"] - meminfo["MemAvailable"]

    def take(self, mebibytes: int) -> None:
        """Make the guest use this much more memory, in MiB."""
        self.command("take", mebibytes)

    def give_back(self) -> None:
        """Make the guest free all memory that it took."""
        self.command("give")

    def unload_driver(self) -> None:
        """Make the guest stop reporting, like a guest whose driver crashed."""
        self.command("unload")

    def panic(self) -> None:
        """Crash the guest's kernel. QEMU keeps running."""
        self.command("panic", answered=False)
        wait_for(lambda: "Kernel panic" in self._console_text(), COMMAND_SECONDS, "the panic")
        # The panicked kernel spins and would take a whole CPU from other tests.
        for thread in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST_PRIORITY)

    def forge(self, **claims: int) -> None:
        """Make the guest send these statistics from now on: names of TAGS, in bytes or counts."""
        self.command("forge", ",".join(str(claims.pop(tag, 0)) for tag in TAGS))
        assert not claims, f"no such statistics: {claims}"

    def reboot(self) -> None:
        """Reboot the guest from inside, and wait until it is up again."""
        boots = self._console_text().count("lab: ready")
        self.command("reboot", answered=False)
        self.wait_until_up(boots + 1)

    def hang(self) -> None:
        """Stop the QEMU process, as hung storage or a debugger does."""
        os.kill(self.pid, signal.SIGSTOP)

    def unhang(self) -> None:
        """Resume the QEMU process."""
        os.kill(self.pid, signal.SIGCONT)

    def migrate(self, destination: Hypervisor) -> None:
        """Live-migrate the guest to another hypervisor of this machine. Move its folder as well."""
        moved = self.hypervisor.folder / f"{self.name}.moved.xml"
        source, target = str(self.hypervisor.folder), str(destination.folder)
        # The kernel and the initramfs are not moved. The guest reads them again only when it boots.
        files = re.compile(re.escape(source) + f"(?=/{self.name})")
        xml = self.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)
        moved.write_text(files.sub(target, str(xml)))
        subprocess.run(
            ["virsh", "--connect", self.hypervisor.uri, "migrate", "--live", "--unsafe",
             "--xml", moved, "--migrateuri", "tcp:127.0.0.1", self.uuid, destination.uri],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
        )  # fmt: skip
        self.hypervisor = destination

    def destroy(self) -> None:
        """Destroy the domain. Does nothing if it does not exist."""
        try:
            self.domain.destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() not in GONE:
                raise

    def live_period(self) -> int:
        """Return the balloon's present statistics period in seconds; 0 if it is off."""
        return parse_balloon(self.live_xml()).period

    def live_xml(self) -> str:
        """Return the domain's live XML."""
        return str(self.domain.XMLDesc(0))

    def _console_text(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def _xml(
        self, period: int | None, driver: bool, model: str, image: Image, emulator: str
    ) -> str:
        metadata = self._metadata
        if metadata is None:
            metadata = METADATA.format(
                display_name=escape(self.display_name),
                memory=self.memory,
                user=USER,
                project=PROJECT,
                image=IMAGE,
            )
        return DOMAIN.format(
            name=self.name,
            uuid=self.uuid,
            metadata=metadata,
            memory=self.memory,
            kernel=image.kernel,
            initramfs=image.initramfs,
            options=OPTIONS,
            cmdline="" if driver else " lab.nodriver",
            folder=self.hypervisor.folder,
            emulator=emulator,
            devices=self._devices,
            model=quoteattr(model),
            stats="" if period is None else f"<stats period='{period}'/>",
        )
