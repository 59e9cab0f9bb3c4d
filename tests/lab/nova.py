# SPDX-License-Identifier: Apache-2.0
"""A stub of Nova's API that knows only the server group of each instance.

Ceilometer's discovery from libvirt's metadata asks Nova for what the metadata lack. Ceilometer
24 always asks; later releases ask by default or on request. The discovery accepts the answer
"not found".
"""

import functools
import http.server
import json
import threading

#: The metering.server_group of instances, by uuid.
server_groups: dict[str, str] = {}


class Servers(http.server.BaseHTTPRequestHandler):
    """Answers /servers/UUID for instances with a server group, and 404 otherwise."""

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
    """Return the API's address. It is served until this process ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Servers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
