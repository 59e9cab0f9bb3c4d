# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the services behind the agent, which are started once."""

import pytest

from tests.conftest import skip_or_fail
from tests.lab.chain.chain import Chain
from tests.lab.chain.service import missing_packages
from tests.lab.guest import Guest
from tests.lab.waiting import wait_long_for

SECONDS = 120


@pytest.fixture(scope="session", autouse=True)
def services():
    """Skip the tests without the services' packages, or fail them under REQUIRE_LAB=1."""
    if missing := missing_packages():
        skip_or_fail(f"no services on this machine: apt-get install {' '.join(missing)}")


@pytest.fixture(scope="session")
def chain(hypervisor):
    """The running chain on the session's hypervisor."""
    with Chain(hypervisor) as running:
        yield running


@pytest.fixture(scope="session")
def silent_guest(chain, hypervisor):
    """A guest that has been reported and whose driver is gone; it takes a while to be noticed."""
    guest = Guest(hypervisor, "instance-silent").wait_until_up()
    wait_long_for(lambda: chain.agent.usage(guest.uuid), SECONDS, "memory.usage")
    guest.unload_driver()
    yield guest
    guest.destroy()


def pytest_collection_modifyitems(items):
    """Run the tests without the chain first, before the chain takes its share of the CPU."""
    items.sort(key=lambda item: "chain" in item.fixturenames)
