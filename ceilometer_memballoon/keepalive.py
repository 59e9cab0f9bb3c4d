# SPDX-License-Identifier: Apache-2.0
"""Open connections to libvirt that notice when their other end is silent."""

import contextlib
import functools
import threading
import urllib.parse

from ceilometer_memballoon.binding import libvirt

#: Seconds between two keepalive messages to a remote libvirtd, and how many of them may
#: stay without an answer before libvirt closes the connection.
KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3


def open_connection(uri: str, *, writable: bool) -> libvirt.virConnect:
    """Open a connection. A remote one notices by keepalive that its other end is silent."""
    is_remote = _is_remote(uri)
    if is_remote:
        _run_event_loop()
    raw = libvirt.open(uri) if writable else libvirt.openReadOnly(uri)
    if is_remote:
        # Some drivers and old servers know no keepalive.
        with contextlib.suppress(libvirt.libvirtError):
            raw.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    return raw


def _is_remote(uri: str) -> bool:
    # Without a transport, libvirt reaches the host that a URI names by TLS.
    parts = urllib.parse.urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    return bool(parts.hostname) or transport not in ("", "unix")


@functools.cache
def _run_event_loop() -> None:
    # libvirt sends and answers keepalive messages only where an event loop runs, and
    # wants it registered before the first connection (virConnectSetKeepAlive).
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()
