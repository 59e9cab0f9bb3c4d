# SPDX-License-Identifier: Apache-2.0
"""Open connections to libvirt that notice when their other end is silent."""

import contextlib
import threading
import urllib.parse

from ceilometer_memballoon.binding import libvirt

#: Seconds between two keepalive messages to a remote libvirtd, and the number of unanswered ones
#: after which libvirt closes the connection.
KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3


class EventLoop:
    """libvirt's event loop. A process has at most one, in its own thread."""

    def __init__(self) -> None:
        self._runs = False
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the loop if it does not run. Several threads may open their first connection."""
        # libvirt sends and answers keepalive messages only where an event loop runs. The loop must
        # be registered before the first connection (virConnectSetKeepAlive).
        with self._starting:
            if not self._runs:
                libvirt.virEventRegisterDefaultImpl()
                threading.Thread(target=self._run, daemon=True).start()
                self._runs = True

    def _run(self) -> None:
        while True:
            libvirt.virEventRunDefaultImpl()


EVENT_LOOP = EventLoop()


def open_connection(uri: str, *, writable: bool) -> libvirt.virConnect:
    """Open a connection. A remote one uses keepalive to notice that its other end is silent."""
    is_remote = _is_remote(uri)
    if is_remote:
        EVENT_LOOP.start()
    raw = libvirt.open(uri) if writable else libvirt.openReadOnly(uri)
    if is_remote:
        # Some drivers and old servers do not support keepalive.
        with contextlib.suppress(libvirt.libvirtError):
            raw.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    return raw


def _is_remote(uri: str) -> bool:
    # Without a transport in the URI, libvirt connects to the host by TLS.
    parts = urllib.parse.urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    return bool(parts.hostname) or transport not in ("", "unix")
