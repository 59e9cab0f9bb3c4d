# SPDX-License-Identifier: Apache-2.0
"""Fixtures of stuck calls, of freed objects and of connections that stand in for libvirt's."""

import gc
import threading

import libvirt
import pytest


@pytest.fixture
def release():
    """The event that stuck calls wait for.

    It is set at the end, so that no thread outlives its test.
    """
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def no_collector():
    """The garbage collector does not run."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def opens(monkeypatch):
    """Make libvirt open these connections in turn. Exceptions among them are raised."""

    def set_up(*connections):
        left = list(connections)

        def take(uri):
            taken = left.pop(0)
            if isinstance(taken, Exception):
                raise taken
            return taken

        monkeypatch.setattr(libvirt, "openReadOnly", take)
        monkeypatch.setattr(libvirt, "open", take)
        return left

    return set_up
