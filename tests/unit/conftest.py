# SPDX-License-Identifier: Apache-2.0
"""Calls that get stuck, and connections to libvirt that are stand-ins."""

import threading

import libvirt
import pytest


@pytest.fixture
def release():
    """What stuck calls wait for; set at the end, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def opens(monkeypatch):
    """Have libvirt open these connections in turn; exceptions are raised."""

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
