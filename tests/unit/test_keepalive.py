# SPDX-License-Identifier: Apache-2.0
"""Which connections notice by keepalive that their other end is silent."""

import libvirt
import pytest

from ceilometer_memballoon import keepalive
from ceilometer_memballoon.keepalive import open_connection


class FakeConnection:
    def __init__(self, error=None):
        self.keepalive = None
        self.error = error

    def setKeepAlive(self, interval, count):  # noqa: N802
        if self.error is not None:
            raise self.error
        self.keepalive = interval, count


@pytest.fixture
def loops(monkeypatch):
    """How often the event loop was asked for."""
    begun = []
    monkeypatch.setattr(keepalive, "_run_event_loop", lambda: begun.append(1))
    return begun


REMOTE = [
    "qemu+tcp://node/system",
    "qemu+tls://node/system",
    "qemu+ssh://nova@node/system",
    "qemu+libssh2://node/system",
    "qemu://node/system",
    "qemu+ext:///system?command=/bin/tunnel",
]
LOCAL = [
    "qemu:///system",
    "qemu+unix:///session?socket=/run/x/libvirt-sock",
    "test:///default",
    "lxc:///",
    "xen:///system",
]


@pytest.mark.parametrize("uri", REMOTE)
@pytest.mark.parametrize("writable", [True, False])
def test_remote_connection_has_keepalive_and_an_event_loop(monkeypatch, loops, uri, writable):
    opened = FakeConnection()
    monkeypatch.setattr(libvirt, "open" if writable else "openReadOnly", lambda uri: opened)
    assert open_connection(uri, writable=writable) is opened
    assert (opened.keepalive, loops) == ((5, 3), [1])


@pytest.mark.parametrize("uri", LOCAL)
def test_local_connection_needs_neither(monkeypatch, loops, uri):
    opened = FakeConnection()
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: opened)
    open_connection(uri, writable=False)
    assert (opened.keepalive, loops) == (None, [])


def test_other_end_without_keepalive_is_connected_all_the_same(monkeypatch, loops):
    opened = FakeConnection(libvirt.libvirtError("not supported"))
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: opened)
    assert open_connection("esx://node/", writable=False) is opened
