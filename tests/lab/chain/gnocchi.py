# SPDX-License-Identifier: Apache-2.0
"""A private Gnocchi, and the publisher that feeds it."""

import base64
import json
import pathlib
import urllib.error
import urllib.request
from importlib import resources
from typing import Any

from tests.lab.agent import free_port
from tests.lab.chain.service import Service, Services, folder_in, listens, program, run

ETC = pathlib.Path(__file__).parents[3] / "etc/ceilometer"
QUERY_SECONDS = 30
#: The last line of an archive policy of an hour, and one more definition below it.
FIVE_MINUTES = "        timespan: 365 days\n      - granularity: 5 minutes"

CONFIG = """
[api]
auth_mode = basic
host = 127.0.0.1
port = {port}
uwsgi_mode = http
[indexer]
url = {database}
[storage]
driver = file
file_basepath = {folder}/storage
[incoming]
driver = file
file_basepath = {folder}/storage
[metricd]
workers = 1
metric_processing_delay = 2
metric_cleanup_delay = 300
"""


class Gnocchi(Services):
    """Running API and metricd. url: the API's address. folder: the folder of both."""

    def __init__(self, lab: pathlib.Path, database: str) -> None:
        self.folder = folder = folder_in(lab, "gnocchi")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "gnocchi.conf"
        config.write_text(CONFIG.format(port=port, database=database, folder=folder))
        options = ["--config-file", config]
        run(folder, program("gnocchi-upgrade"), *options)
        self.api = Service(
            folder, "gnocchi-api", [program("gnocchi-api"), *options], ready=lambda: listens(port)
        )
        self.metricd = Service(folder, "gnocchi-metricd", [program("gnocchi-metricd"), *options])
        super().__init__(self.api, self.metricd)

    def measures(self, instance: str, meter: str, granularity: float) -> list[tuple[str, float]]:
        """Return time and mean of each stored interval; empty if there is no such metric."""
        path = f"/v1/resource/instance/{instance}/metric/{meter}/measures"
        found = self._get(f"{path}?granularity={granularity}&refresh=true")
        return [(when, value) for when, _, value in found or []]

    def _get(self, path: str) -> Any:
        # None until the resource exists.
        token = base64.b64encode(b"admin:").decode()
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Basic {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=QUERY_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


def publisher(folder: pathlib.Path, minute: int) -> str:
    """Return the publisher for Gnocchi's address.

    Its definitions are Ceilometer's with ours appended, as the documentation says. Every meter is
    stored by the second, so that each measure is one sample, and by 5 minutes, as in
    ceilometer-low.
    folder: Where the definitions are written.
    minute: How many seconds a minute of the archive policies has.
    """
    own = resources.files("ceilometer.publisher") / "data/gnocchi_resources.yaml"
    text = own.read_text() + (ETC / "gnocchi_resources.memballoon.yaml").read_text()
    text = text.replace("granularity: 1 minute", f"granularity: {minute} seconds")
    text = text.replace("granularity: 1 hour", f"granularity: 1 hour\n{FIVE_MINUTES}")
    target = folder / "gnocchi_resources.yaml"
    target.write_text(text.replace("policy_name: ceilometer-low", "policy_name: ceilometer-high"))
    return (
        "gnocchi://?enable_filter_project=false&archive_policy=ceilometer-high"
        f"&resources_definition_file={target}"
    )
