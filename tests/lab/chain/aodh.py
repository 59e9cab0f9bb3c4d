# SPDX-License-Identifier: Apache-2.0
"""A private Aodh with alarms on the measures of Gnocchi and Prometheus."""

import json
import pathlib
import re
import urllib.request
from typing import Any

from tests.lab import image
from tests.lab.agent import free_port
from tests.lab.chain.service import Service, Services, folder_in, listens, program, run
from tests.lab.guest import PROJECT, USER

ETC = pathlib.Path(__file__).parents[3] / "etc/aodh"
QUERY_SECONDS = 30
EMPTY_QUERY = re.compile(r"Empty result fetched from Prometheus for query (.*)")
#: What Keystone gives a member of a project.
ROLES = "member,reader"

CONFIG = """
[DEFAULT]
transport_url = {transport_url}
[api]
auth_mode = noauth
[database]
connection = {database}
[evaluator]
evaluation_interval = {interval}
[coordination]
backend_url =
[service_credentials]
auth_type = gnocchi-basic
user = admin
endpoint = {endpoint}
"""

#: One [service_credentials] endpoint serves both kinds of alarms.
FRONT = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /api/v1/ {{ proxy_pass {prometheus}; }}
        location / {{ proxy_pass {gnocchi}; }}
    }}
}}
"""


class Aodh(Services):
    """Running API, evaluator and notifier. url: the API's address."""

    def __init__(
        self,
        lab: pathlib.Path,
        database: str,
        transport_url: str,
        *,
        gnocchi: str,
        prometheus: str,
        interval: int,
    ) -> None:
        """interval: seconds between two evaluations. gnocchi, prometheus: their addresses."""
        self._folder = folder = folder_in(lab, "aodh")
        front, port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        (folder / "nginx.conf").write_text(
            FRONT.format(folder=folder, port=front, gnocchi=gnocchi, prometheus=prometheus)
        )
        nginx = image.unpacked("nginx") / "usr/sbin/nginx"
        front_server = Service(
            folder, "nginx",
            [nginx, "-p", folder, "-e", folder / "nginx.err", "-c", folder / "nginx.conf"],
            ready=lambda: listens(front),
        )  # fmt: skip
        config = folder / "aodh.conf"
        config.write_text(
            CONFIG.format(
                transport_url=transport_url,
                database=database,
                interval=interval,
                endpoint=f"http://127.0.0.1:{front}",
            )
        )
        options = ["--config-file", config]
        run(folder, program("aodh-dbsync"), *options)
        services = [
            Service(
                folder,
                "aodh-api",
                [program("aodh-api"), "--host", "127.0.0.1", "--port", str(port), "--", *options],
                ready=lambda: listens(port),
            ),
            evaluator := Service(folder, "aodh-evaluator", [program("aodh-evaluator"), *options]),
            Service(folder, "aodh-notifier", [program("aodh-notifier"), *options]),
        ]  # fmt: skip
        self._evaluator_log = evaluator.log
        super().__init__(front_server, *services)

    def create_prometheus(
        self, query: str, threshold: float, webhook: str, project: str = PROJECT
    ) -> str:
        """Create a member's alarm that fires above the threshold. Return its id.

        query: an expression of Prometheus.
        """
        alarm = {
            "name": query,
            "type": "prometheus",
            "prometheus_rule": {
                "query": query, "threshold": threshold, "comparison_operator": "gt",
            },
            "alarm_actions": [webhook],
            "ok_actions": [webhook],
            "insufficient_data_actions": [webhook],
        }  # fmt: skip
        return str(self._request("POST", alarm, project)["alarm_id"])

    def create(self, script: str, **settings: str) -> str:
        """Run a script of etc/aodh/ as a user of the cloud would. Return the alarm's id."""
        before = set(self.states())
        run(self._folder, "sh", ETC / script, environment={**self._credentials(), **settings})
        (made,) = set(self.states()) - before
        return made

    def _credentials(self) -> dict[str, str]:
        return {
            "OS_AUTH_TYPE": "aodh-noauth",
            "OS_USER_ID": USER,
            "OS_PROJECT_ID": PROJECT,
            "OS_ROLES": ROLES,
            "OS_AODH_ENDPOINT": self.url,
        }

    def states(self) -> dict[str, str]:
        """Return ok, alarm or insufficient data, by alarm id."""
        found = self._request("GET", None, PROJECT)
        return {one["alarm_id"]: one["state"] for one in found}

    def empty_queries(self) -> list[str]:
        """Return the queries without a result, as the evaluator sent them to Prometheus."""
        return EMPTY_QUERY.findall(self._evaluator_log.read_text(errors="replace"))

    def _request(self, method: str, body: dict[str, Any] | None, project: str) -> Any:
        headers = {"X-User-Id": USER, "X-Project-Id": project, "X-Roles": ROLES}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/v2/alarms", data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=QUERY_SECONDS) as answer:
            return json.load(answer)
