# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that need a lab."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.agent import Agent
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor, missing_packages

Boot = Callable[..., Guest]


@pytest.fixture(scope="session")
def hypervisor() -> Iterator[Hypervisor]:
    """The session's private libvirtd; skips the test, or fails it under REQUIRE_LAB=1."""
    if missing := missing_packages():
        reason = f"no lab on this machine: apt-get install {' '.join(missing)}"
        if os.environ.get("REQUIRE_LAB") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Hypervisor() as running:
        yield running


@pytest.fixture
def boot(hypervisor: Hypervisor) -> Iterator[Boot]:
    """Boot a guest (arguments as tests.lab.guest.Guest); it is gone after the test."""
    with contextlib.ExitStack() as guests:

        def boot_one(name: str = "instance-1", *, wait: bool = True, **kind: Any) -> Guest:
            guest = Guest(hypervisor, name, **kind)
            guests.callback(guest.destroy)
            return guest.wait_until_up() if wait and not kind.get("paused") else guest

        yield boot_one


@pytest.fixture
def start_agent(hypervisor: Hypervisor) -> Iterator[Callable[..., Agent]]:
    """Start a ceilometer-polling (arguments as tests.lab.agent.Agent); it ends with the test."""
    with contextlib.ExitStack() as agents:
        yield lambda **options: agents.enter_context(Agent(hypervisor, **options))
