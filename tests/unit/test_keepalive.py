# SPDX-License-Identifier: Apache-2.0
"""Which connections notice by keepalive that their other end is silent."""

import contextlib
import threading

import libvirt
import pytest

from ceilometer_memballoon.keepalive import EventLoop, open_connection


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
    """Return how often the event loop was started."""
    begun = []
    monkeypatch.setattr(EventLoop, "start", lambda loop: begun.append(1))
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
def test_local_connection_uses_no_keepalive_and_no_event_loop(monkeypatch, loops, uri):
    opened = FakeConnection()
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: opened)
    open_connection(uri, writable=False)
    assert (opened.keepalive, loops) == (None, [])


def test_remote_without_keepalive_is_connected(monkeypatch, loops):
    opened = FakeConnection(libvirt.libvirtError("not supported"))
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: opened)
    assert open_connection("esx://node/", writable=False) is opened


def test_two_threads_register_the_event_loop_once_and_wait_for_it(monkeypatch):
    registered, both = [], threading.Barrier(2)

    def register():
        # Wait for the other thread, which must not connect yet.
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.1)
        registered.append(1)

    monkeypatch.setattr(libvirt, "virEventRegisterDefaultImpl", register)
    monkeypatch.setattr(EventLoop, "_run", lambda loop: None)
    loop, seen = EventLoop(), []

    def connect():
        loop.start()
        seen.append(len(registered))

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (registered, seen) == ([1], [1, 1])


def test_event_loop_that_cannot_be_registered_is_tried_again(monkeypatch):
    answers = [libvirt.libvirtError("failed"), None]

    def register():
        error = answers.pop(0)
        if error is not None:
            raise error

    monkeypatch.setattr(libvirt, "virEventRegisterDefaultImpl", register)
    monkeypatch.setattr(EventLoop, "_run", lambda loop: None)
    loop = EventLoop()
    with pytest.raises(libvirt.libvirtError):
        loop.start()
    loop.start()
    assert answers == []
