# SPDX-License-Identifier: Apache-2.0
"""A private Aetos, which shows each project its own part of a Prometheus."""

import json
import pathlib
import urllib.parse
import urllib.request
from typing import Any

from tests.lab.agent import free_port
from tests.lab.chain.service import Service, folder_in, listens, program
from tests.lab.guest import PROJECT, USER

QUERY_SECONDS = 30
#: Without Keystone, Aetos trusts the headers of the request.
CONFIG = """
[DEFAULT]
auth_mode = noauth
[prometheus]
host = 127.0.0.1
port = {port}
"""


class Aetos(Service):
    """A running Aetos in front of the Prometheus at that port of the loopback address."""

    def __init__(self, lab: pathlib.Path, prometheus: int) -> None:
        folder = folder_in(lab, "aetos")
        self.port = free_port()
        config = folder / "aetos.conf"
        config.write_text(CONFIG.format(port=prometheus))
        super().__init__(
            folder,
            "aetos",
            [program("aetos-api"), "--host", "127.0.0.1", "--port", str(self.port),
             "--", "--config-file", config],
            ready=lambda: listens(self.port),
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Its address, as Keystone's catalog would show it."""
        return f"http://127.0.0.1:{self.port}"

    def query(
        self, expression: str, roles: str = "member,reader", project: str = PROJECT
    ) -> list[dict[str, Any]]:
        """Return the expression's result for a user with these roles in that project."""
        words = urllib.parse.urlencode({"query": expression})
        request = urllib.request.Request(
            f"{self.url}/api/v1/query?{words}", headers=headers(roles, project)
        )
        with urllib.request.urlopen(request, timeout=QUERY_SECONDS) as answer:
            return list(json.load(answer)["data"]["result"])


def headers(roles: str, project: str = PROJECT) -> dict[str, str]:
    """Return the headers that Keystone's middleware would add to such a user's request."""
    return {
        "Accept": "application/json",
        "X-Roles": roles,
        "X-Project-Id": project,
        "X-User-Id": USER,
    }
