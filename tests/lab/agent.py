# SPDX-License-Identifier: Apache-2.0
"""The real ceilometer-polling on a lab, read through its Prometheus exporter.

No broker or Keystone: instances are discovered from libvirt's metadata.
"""

import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import types
import urllib.error
import urllib.request
from typing import Any

import yaml
from prometheus_client import parser

from tests.lab import nova
from tests.lab.hypervisor import Hypervisor
from tests.lab.waiting import wait_for

START_SECONDS = 60
STOP_SECONDS = 30
#: Ports outside the system's range, the kernel's range for outgoing connections
#: (net.ipv4.ip_local_port_range) and the range of a lab's Nova.
PORTS = range(12000, 20000)
_candidates = iter(random.sample(PORTS, len(PORTS)))
NO_USAGE = re.compile(r"Instance (\S+): no memory\.usage: ([^.]+)\.")
#: A log line of the plugin in oslo.log's format: ..., level, logger, [-] or a request, text.
OWN_LINE = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR) ceilometer_memballoon\S* .*")

CONFIG = """
[DEFAULT]
host = {host}
transport_url = {transport_url}
libvirt_uri = {uri}
[compute]
instance_discovery_method = libvirt_metadata
fetch_extra_metadata = {extra_metadata}
[polling]
cfg_file = {polling}
enable_notifications = {notifications}
enable_prometheus_exporter = {exporter}
prometheus_listen_addresses = 127.0.0.1:{port}
{polling_options}
[libvirt]
mem_stats_period_seconds = {period}
[memballoon]
libvirt_timeout = {timeout}
boot_seconds = {boot_seconds}
{memballoon_options}
[service_credentials]
auth_type = none
endpoint = {nova}
"""


def configure(
    hypervisor: Hypervisor,
    *,
    interval: int = 2,
    meters: tuple[str, ...] = ("memory_usage", "memory_resident"),
    period: int = 10,
    timeout: float = 5,
    polling: pathlib.Path | None = None,
    polling_options: str = "",
    uri: str | None = None,
    port: int = 0,
    host: str = "lab",
    transport_url: str = "",
    extra_metadata: bool = False,
    boot_seconds: float = 0,
    memballoon_options: str = "",
    discovery: tuple[str, ...] = (),
) -> tuple[pathlib.Path, pathlib.Path]:
    """Write a ceilometer.conf for one agent. Return its path and the path for the agent's log.

    interval: Seconds between two cycles.
    meters: The meters in polling.yaml.
    period: The option [libvirt] mem_stats_period_seconds.
    timeout: The option [memballoon] libvirt_timeout, in seconds.
    polling: A polling.yaml to use instead of one with these meters.
    polling_options: Further lines for [polling].
    uri: Another address than the lab's.
    port: The exporter's port; 0 turns the exporter off.
    host: The agent's name for this host.
    transport_url: The broker, if samples are to be sent to one.
    extra_metadata: Whether to ask the lab's Nova for the metadata that users gave their instances.
    boot_seconds: The option [memballoon] boot_seconds.
    memballoon_options: Further lines for [memballoon].
    discovery: The source's discovery, instead of each pollster's own.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="agent-", dir=hypervisor.folder))
    folder.chmod(0o755)
    if polling is None:
        polling = folder / "polling.yaml"
        source = {"name": "lab", "interval": interval, "meters": list(meters)}
        if discovery:
            source["discovery"] = list(discovery)
        polling.write_text(yaml.safe_dump({"sources": [source]}))
    config = folder / "ceilometer.conf"
    config.write_text(
        CONFIG.format(
            uri=uri or hypervisor.uri,
            timeout=timeout,
            polling=polling,
            exporter=bool(port),
            port=port,
            period=period,
            nova=nova.endpoint(),
            polling_options=polling_options,
            host=host,
            transport_url=transport_url or "fake://",
            notifications=bool(transport_url),
            extra_metadata=extra_metadata,
            boot_seconds=boot_seconds,
            memballoon_options=memballoon_options,
        )
    )
    return config, folder / "log"


class Agent:
    """A running ceilometer-polling; a context manager that ends it.

    program: A ceilometer-polling other than this environment's.
    prefix: Words before the command that run it as another user.
    environment: Further variables for the process.
    authority: A PEM file with the authority of the exporter's certificate, if the exporter has TLS.
    options: Arguments of configure().
    config, log: Paths of the agent's ceilometer.conf and of its log.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        *,
        program: pathlib.Path | None = None,
        prefix: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        authority: pathlib.Path | None = None,
        **options: Any,
    ) -> None:
        self._tls = ssl.create_default_context(cafile=authority) if authority else None
        self.port = free_port()
        self.config, self.log = configure(hypervisor, port=self.port, **options)
        command = str(program or pathlib.Path(sys.executable).with_name("ceilometer-polling"))
        self.environment = {**os.environ, **(environment or {})}
        self.command = [*prefix, command, "--polling-namespaces", "compute"]
        self.command += ["--config-file", str(self.config)]
        self._process = self._start()

    @property
    def url(self) -> str:
        """The exporter's page."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started. The pollsters run in a child of it."""
        return self._process.pid

    def metrics(self) -> dict[tuple[str, str], float]:
        """Return values by metric name and instance UUID; empty while the exporter is down.

        Each cycle removes a metric and adds it again, so a request can miss it. Wait for the
        expected metric instead of asking once.
        """
        try:
            with urllib.request.urlopen(self.url, timeout=10, context=self._tls) as page:
                families = parser.text_string_to_metric_families(page.read().decode())
                return {
                    (sample.name, sample.labels.get("resource", "")): sample.value
                    for family in families
                    for sample in family.samples
                }
        except (urllib.error.URLError, ConnectionError):
            return {}

    def usage(self, uuid: str) -> float | None:
        """Return memory.usage in MiB as exported now; None if it is not exported."""
        return self.metrics().get(("ceilometer_memory_usage", uuid))

    def resident(self, uuid: str) -> float | None:
        """Return memory.resident in MiB as exported now; None if it is not exported."""
        return self.metrics().get(("ceilometer_memory_resident", uuid))

    def reason(self, uuid: str) -> str | None:
        """Return why the instance has no memory.usage, from the last such log line."""
        reasons = dict(NO_USAGE.findall(self.log_text()))
        return reasons.get(uuid)

    def log_text(self) -> str:
        """Return the agent's output so far."""
        return self.log.read_text(errors="replace")

    def cycles(self, pollster: str = "memory_usage") -> int:
        """Return how many cycles with instances the pollster has finished."""
        return self.log_text().count(f"Finished polling pollster {pollster} ")

    def own_lines(self) -> list[str]:
        """Return the plugin's log lines so far, each from its level on."""
        return OWN_LINE.findall(self.log_text())

    def wait_for_line(self, text: str, seconds: float = START_SECONDS) -> None:
        """Wait until the agent has logged this text."""
        wait_for(lambda: text in self.log_text(), seconds, f"log line: {text}", self.log_text)

    def wait_for_cycles(
        self, count: int = 1, seconds: float = START_SECONDS, pollster: str = "memory_usage"
    ) -> None:
        """Wait until ``count`` more cycles of that pollster have started and ended."""
        wanted = self.cycles(pollster) + count + 1
        wait_for(lambda: self.cycles(pollster) >= wanted, seconds, "polling cycles", self.log_text)

    def stop(self) -> int:
        """End the agent as systemd does. Return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=STOP_SECONDS)

    def __enter__(self) -> "Agent":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.stop()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                # Ctrl-C reaches the tests alone, which end the agent.
                start_new_session=True,
            )


def free_port() -> int:
    """Return a port of the loopback address that is free now, another one with each call.

    An outgoing connection cannot take the port before the service binds it. Raises RuntimeError
    if no port is free.
    """
    for port in _candidates:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no free port in {PORTS}")
