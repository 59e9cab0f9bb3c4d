# SPDX-License-Identifier: Apache-2.0
"""Count the calls that clients make to a lab's libvirtd, with a proxy.

In libvirt's wire format each message starts with its length, program, version, procedure, type,
serial and status, as seven 32-bit numbers in network byte order. The body follows (libvirt,
src/rpc/virnetprotocol.x).
"""

import collections
import contextlib
import pathlib
import socket
import struct
import threading
from collections.abc import Iterator

from tests.lab.hypervisor import Hypervisor

HEADER = struct.Struct("!7I")
CALL = 0
REMOTE_PROGRAM = 0x20008086
#: src/remote/remote_protocol.x
GET_ALL_DOMAIN_STATS = 344


class Counter:
    """A proxy in front of a libvirtd. calls: the number of calls of each procedure through it."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.calls: collections.Counter[int] = collections.Counter()
        self._upstream = hypervisor.socket
        path = pathlib.Path(hypervisor.folder / "counted-sock")
        path.unlink(missing_ok=True)
        self.uri = f"qemu+unix:///session?socket={path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._upstream))
                for pump in (self._count, self._forward):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _count(self, client: socket.socket, server: socket.socket) -> None:
        stream = client.makefile("rb")
        with server, contextlib.suppress(OSError):
            while header := stream.read(HEADER.size):
                length, program, _, procedure, kind, _, _ = HEADER.unpack(header)
                if (program, kind) == (REMOTE_PROGRAM, CALL):
                    self.calls[procedure] += 1
                server.sendall(header + stream.read(length - HEADER.size))

    @staticmethod
    def _forward(client: socket.socket, server: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)


@contextlib.contextmanager
def counted(hypervisor: Hypervisor) -> Iterator[Counter]:
    """Count calls while the context is active."""
    counter = Counter(hypervisor)
    try:
        yield counter
    finally:
        counter.close()
