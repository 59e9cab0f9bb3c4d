# SPDX-License-Identifier: Apache-2.0
"""A Nova API that knows no instance.

Discovery from libvirt's metadata asks Nova for what the metadata lacks: always with
Ceilometer 24, and with later ones by default. "Not found" is an answer it goes on with.
"""

import functools
import http.server
import threading


class NotFound(http.server.BaseHTTPRequestHandler):
    """Answers each request with 404."""

    def do_GET(self) -> None:
        """Say that it is not found."""
        body = b'{"itemNotFound": {"message": "not here", "code": 404}}'
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@functools.cache
def endpoint() -> str:
    """Its address; it is served as long as this process lives."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
