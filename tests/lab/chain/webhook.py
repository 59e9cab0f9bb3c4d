# SPDX-License-Identifier: Apache-2.0
"""A webhook that receives the notifications of Aodh and Alertmanager."""

import http.server
import json
import threading
from typing import Any, Self


class Webhook:
    """A listening webhook; a context manager that ends it. received: all requests, in order."""

    def __init__(self) -> None:
        received: list[dict[str, Any]] = []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                received.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.received = received
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def states(self, alarm_id: str) -> list[str]:
        """Return the states that an Aodh alarm has reported, in order."""
        return [one["current"] for one in self.received if one.get("alarm_id") == alarm_id]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
