# SPDX-License-Identifier: Apache-2.0
"""The chain behind the agent, started once for all of its tests."""

import pytest

from tests.conftest import lack
from tests.lab.chain.chain import Chain
from tests.lab.chain.service import missing_packages


@pytest.fixture(scope="session", autouse=True)
def services():
    """Skips the tests without the services' packages, or fails them under REQUIRE_LAB=1."""
    if missing := missing_packages():
        lack(f"no services on this machine: apt-get install {' '.join(missing)}")


@pytest.fixture(scope="session")
def chain(hypervisor):
    """The running chain on the session's hypervisor."""
    with Chain(hypervisor) as running:
        yield running


def pytest_collection_modifyitems(items):
    """What needs no chain first, before it takes its share of the processors."""
    items.sort(key=lambda item: "chain" in item.fixturenames)
