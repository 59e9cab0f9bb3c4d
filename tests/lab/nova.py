# SPDX-License-Identifier: Apache-2.0
"""A Nova API that knows only the server group of each instance.

Discovery from libvirt's metadata asks Nova for what the metadata lacks: always with
Ceilometer 24, and with later ones by default or on demand. The discovery accepts the answer
"not found".
"""

import functools
import http.server
import json
import threading

#: The metering.server_group of instances, by uuid.
server_groups: dict[str, str] = {}


class Servers(http.server.BaseHTTPRequestHandler):
    """Answers /servers/UUID for instances with a server group, and all else with 404."""

    def do_GET(self) -> None:
        """Answer with the group, or with 404."""
        uuid = self.path.rpartition("/")[2]
        if uuid in server_groups:
            metadata = {"metering.server_group": server_groups[uuid]}
            self._send(200, {"server": {"id": uuid, "metadata": metadata, "flavor": {"id": "42"}}})
        else:
            self._send(404, {"itemNotFound": {"message": "not here", "code": 404}})

    def _send(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@functools.cache
def endpoint() -> str:
    """Its address; it is served as long as this process lives."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Servers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
