# SPDX-License-Identifier: Apache-2.0
"""Ceilometer: the notification agent, and the polling agent of one compute host."""

import os
import pathlib
import ssl
import sys
from importlib import resources

import yaml

from ceilometer_memballoon.meters import METERS
from tests.lab.agent import Agent, free_port
from tests.lab.chain.chain import TLS
from tests.lab.chain.gnocchi import ETC
from tests.lab.chain.service import Service, Services, folder_in, program, run
from tests.lab.cloud.site import SERVICE, Site

#: Seconds between two polls, which is also Nova's default period. Gnocchi stores means of this
#: length beside means of a minute, because tests cannot wait minutes for alarms.
INTERVAL = 10

NOTIFICATION = """
[DEFAULT]
transport_url = {transport_url}
pipeline_cfg_file = {folder}/pipeline.yaml
[notification]
workers = 1
batch_timeout = 1
[service_credentials]
interface = public
{credentials}
"""

POLLING = """
[DEFAULT]
host = {host}
transport_url = {transport_url}
libvirt_uri = {uri}
[compute]
instance_discovery_method = {discovery}
fetch_extra_metadata = {extra_metadata}
[polling]
cfg_file = {polling}
enable_prometheus_exporter = true
prometheus_listen_addresses = 127.0.0.1:{port}
{tls}
[service_credentials]
interface = public
{credentials}
{settings}
"""


class NotificationAgent(Services):
    """The running agent that stores samples and Nova's notifications in Gnocchi.

    Gnocchi and Keystone have to be up.
    """

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "notification")
        definitions = folder / "gnocchi_resources.yaml"
        definitions.write_text(_definitions())
        (folder / "pipeline.yaml").write_text(yaml.safe_dump(_pipeline(definitions)))
        config = folder / "ceilometer.conf"
        config.write_text(
            NOTIFICATION.format(
                folder=folder,
                transport_url=site.transport_url,
                credentials=site.credentials(),
            )
        )
        options = ["--config-file", config]
        run(folder, program("ceilometer-upgrade"), *options)
        self.agent = Service(
            folder, "notification", [program("ceilometer-agent-notification"), *options]
        )
        super().__init__(self.agent)


def _definitions() -> str:
    """Return Ceilometer's definitions with ours appended, as the documentation says."""
    stock = resources.files("ceilometer.publisher") / "data/gnocchi_resources.yaml"
    text = stock.read_text() + (ETC / "gnocchi_resources.memballoon.yaml").read_text()
    definitions = yaml.safe_load(text)
    for policy in definitions["archive_policies"]:
        if policy["name"] == "ceilometer-high":
            policy["definition"].append(
                {"granularity": f"{INTERVAL} seconds", "timespan": "2 hours"}
            )
    return str(yaml.safe_dump(definitions, sort_keys=False))


def _pipeline(definitions: pathlib.Path) -> dict[str, object]:
    publisher = (
        f"gnocchi://?filter_project={SERVICE}&archive_policy=ceilometer-high"
        f"&resources_definition_file={definitions}"
    )
    return {
        "sources": [{"name": "all", "meters": ["*"], "sinks": ["gnocchi"]}],
        "sinks": [{"name": "gnocchi", "publishers": [publisher]}],
    }


class PollingAgent(Agent):
    """A running ceilometer-polling of a compute host, with all of the plugin's meters.

    folder: The host's folder, where the agent works.
    host: The host's name in Nova.
    uri: The address of the host's libvirtd.
    port: The exporter's port; a free one if it is 0.
    discovery, extra_metadata: Options of [compute].
    meters, interval, discoveries: As in polling.yaml.
    prefix: Words before the command.
    further: More configuration files.
    settings: Further lines of its configuration.
    """

    def __init__(
        self,
        site: Site,
        folder: pathlib.Path,
        host: str,
        uri: str,
        *,
        port: int = 0,
        discovery: str = "libvirt_metadata",
        extra_metadata: bool = True,
        meters: tuple[str, ...] = tuple(METERS),
        interval: int = INTERVAL,
        discoveries: tuple[str, ...] = (),
        prefix: tuple[str, ...] = (),
        further: tuple[pathlib.Path, ...] = (),
        settings: str = "",
    ) -> None:
        self._tls = ssl.create_default_context(cafile=site.certificates.authority)
        self.port = port or free_port()
        self.interval = interval
        place = folder_in(folder, "polling")
        place.chmod(0o755)
        polling = place / "polling.yaml"
        source = {"name": "memory", "interval": interval, "meters": list(meters)}
        if discoveries:
            source["discovery"] = list(discoveries)
        polling.write_text(yaml.safe_dump({"sources": [source]}))
        self.config, self.log = place / "ceilometer.conf", place / "log"
        self.config.write_text(
            POLLING.format(
                host=host,
                transport_url=site.transport_url,
                uri=uri,
                discovery=discovery,
                extra_metadata=extra_metadata,
                polling=polling,
                port=self.port,
                tls=TLS.format(site.certificates),
                credentials=site.credentials(),
                settings=settings,
            )
        )
        files = [word for file in (self.config, *further) for word in ("--config-file", str(file))]
        command = str(pathlib.Path(sys.executable).with_name("ceilometer-polling"))
        self.command = [*prefix, command, "--polling-namespaces", "compute", *files]
        self.environment = dict(os.environ)
        self._process = self._start()
