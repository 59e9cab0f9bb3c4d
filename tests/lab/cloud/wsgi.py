# SPDX-License-Identifier: Apache-2.0
"""One API of the cloud, served by uWSGI."""

import http.client
import pathlib

from tests.lab.chain.service import Service, program

THREADS = 6
START_SECONDS = 180
ANSWER_SECONDS = 30


class Api(Service):
    """A running API.

    folder: Its own folder, which is also its HOME.
    module: The module that has ``application``.
    environment: The variables that name the service's configuration.
    """

    def __init__(
        self, folder: pathlib.Path, name: str, port: int, module: str, environment: dict[str, str]
    ) -> None:
        super().__init__(
            folder,
            name,
            [
                program("uwsgi"), "--http-socket", f"127.0.0.1:{port}",
                "--module", f"{module}:application",
                "--master", "--die-on-term", "--need-app", "--lazy-apps",
                "--processes", "1", "--threads", str(THREADS), "--enable-threads",
                "--buffer-size", "65535", "--thunder-lock", "--disable-logging",
                # uWSGI keeps no connection alive, and clients would wait for one.
                "--add-header", "Connection: close",
            ],
            environment=environment,
            ready=lambda: _answers(port),
            seconds=START_SECONDS,
        )  # fmt: skip


def _answers(port: int) -> bool:
    """Return whether the application has been loaded. uWSGI accepts connections before that."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
