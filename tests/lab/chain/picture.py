# SPDX-License-Identifier: Apache-2.0
"""A web page with the picture of the Grafana dashboard, drawn from a live Prometheus."""

import contextlib
import http.server
import pathlib
import shutil
import subprocess
import threading
from typing import Self

from tests.lab.chain import npm
from tests.lab.chain.service import folder_in, program, run

PACKAGES = ("echarts@6.1.0",)
PROGRAM = pathlib.Path(__file__).with_name("picture.mjs")
DASHBOARD = pathlib.Path(__file__).parents[3] / "etc/grafana/guest-memory.json"
#: How much of the past the picture shows, in seconds.
SHOWN_SECONDS = 600
#: A browser asks again after this many seconds.
REFRESH_SECONDS = 10


def fetch(programs: pathlib.Path) -> pathlib.Path:
    """Install the packages that draw the picture. Raises download.DownloadError.

    programs: The folder that has npm and node.
    """
    return npm.fetch(programs, PACKAGES)


class Picture:
    """The page, drawn for each request; a context manager that ends it.

    lab: The folder in which a folder is made for the page.
    prometheus: The address of a Prometheus with the shipped rules.
    """

    def __init__(self, lab: pathlib.Path, prometheus: str) -> None:
        folder = folder_in(lab, "picture")
        # Node.js looks for packages beside the program.
        (folder / "node_modules").symlink_to(npm.folder_of(PACKAGES) / "node_modules")
        shutil.copy(PROGRAM, folder)
        one_at_a_time = threading.Lock()

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # A browser may leave while the picture is drawn.
                with contextlib.suppress(ConnectionError):
                    self._answer()

            def _answer(self) -> None:
                try:
                    with one_at_a_time:
                        svg = _draw(folder, prometheus)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    self.send_error(503, "no picture", str(error))
                    return
                self.send_response(200)
                self.send_header("Content-Type", "image/svg+xml")
                self.send_header("Refresh", str(REFRESH_SECONDS))
                self.end_headers()
                self.wfile.write(svg.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _draw(folder: pathlib.Path, prometheus: str) -> str:
    return run(folder, program("node"), PROGRAM.name, DASHBOARD, prometheus, str(SHOWN_SECONDS))
