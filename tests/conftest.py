# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that need a lab."""

import contextlib
import functools
import importlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab import privileged as privileged_lab
from tests.lab.agent import Agent
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor, missing_packages
from tests.lab.privileged import PrivilegedHypervisor

Boot = Callable[..., Guest]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Accept pyproject.toml's faulthandler_exit_on_timeout, which pytest has from 9 on."""
    if pytest.version_tuple < (9,):
        parser.addini("faulthandler_exit_on_timeout", "has no effect before pytest 9")


def pytest_configure() -> None:
    """Prepare this process, and all processes that it starts, for the tests.

    Restore SIGINT, because a shell starts background processes with SIGINT ignored. Remove
    proxies from the environment, because tests connect to loopback only.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need an exporter which removes gauges, if this one does not."""
    marked = [item for item in items if item.get_closest_marker("purging_exporter")]
    if marked and not _removes_gauges():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="this Ceilometer's exporter removes no gauges"))


def _removes_gauges() -> bool:
    try:
        exporter = importlib.import_module("ceilometer.polling.prom_exporter")
    except ImportError:
        return False
    return hasattr(exporter, "purge_stale_metrics")


def skip_or_fail(reason: str) -> None:
    """Skip the test, or fail it under REQUIRE_LAB=1."""
    if os.environ.get("REQUIRE_LAB") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def hypervisor() -> Iterator[Hypervisor]:
    """The session's private libvirtd. Skips the test, or fails it under REQUIRE_LAB=1."""
    if missing := missing_packages():
        skip_or_fail(f"no lab on this machine: apt-get install {' '.join(missing)}")
    with Hypervisor() as running:
        yield running


@pytest.fixture(scope="session")
def root_only(hypervisor: Hypervisor) -> None:
    """Skip the test without root, or fail it under REQUIRE_LAB=1."""
    if os.geteuid() != 0:
        skip_or_fail("only root can start a libvirtd as root")
    if missing := privileged_lab.missing_packages():
        skip_or_fail(f"no D-Bus or polkit on this machine: apt-get install {' '.join(missing)}")


@pytest.fixture
def privileged(root_only: None) -> Iterator[Callable[[str], PrivilegedHypervisor]]:
    """Start a libvirtd as root with these lines in its libvirtd.conf. It ends with the test."""
    with contextlib.ExitStack() as running:
        yield lambda settings: running.enter_context(PrivilegedHypervisor(settings))


@pytest.fixture
def boot_on() -> Iterator[Boot]:
    """Boot a guest (arguments as tests.lab.guest.Guest). It is destroyed after the test."""
    with contextlib.ExitStack() as guests:

        def boot_one(
            hypervisor: Hypervisor, name: str = "instance-1", *, wait: bool = True, **kind: Any
        ) -> Guest:
            guest = Guest(hypervisor, name, **kind)
            guests.callback(guest.destroy)
            return guest.wait_until_up() if wait and not kind.get("paused") else guest

        yield boot_one


@pytest.fixture
def boot(hypervisor: Hypervisor, boot_on: Boot) -> Boot:
    """Boot a guest on the session's hypervisor (further arguments as boot_on)."""
    return functools.partial(boot_on, hypervisor)


@pytest.fixture
def boot_many(boot: Boot) -> Callable[..., list[Guest]]:
    """Boot this many guests at the same time; further arguments as boot."""

    def boot_them(count: int, **kind: Any) -> list[Guest]:
        guests = [boot(f"instance-{number}", wait=False, **kind) for number in range(count)]
        return [guest.wait_until_up() for guest in guests]

    return boot_them


@pytest.fixture
def start_agent(hypervisor: Hypervisor) -> Iterator[Callable[..., Agent]]:
    """Start a ceilometer-polling (arguments as tests.lab.agent.Agent). It ends with the test."""
    with contextlib.ExitStack() as agents:

        def start(hypervisor: Hypervisor = hypervisor, **options: Any) -> Agent:
            return agents.enter_context(Agent(hypervisor, **options))

        yield start


MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Record a figure (title, text) and print it at the end of the run. doc/ quotes the figures."""
    notes = request.config.stash.setdefault(MEASURED, [])
    return lambda what, figures: notes.append(f"{what}: {figures}")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the measured figures. The reporter's class has no public name before pytest 9."""
    if notes := config.stash.get(MEASURED, []):
        terminalreporter.section("measured")
        for note in notes:
            terminalreporter.line(note)
