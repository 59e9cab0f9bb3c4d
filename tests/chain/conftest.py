# SPDX-License-Identifier: Apache-2.0
"""The chain behind the agent, started once for all of its tests."""

import pytest

from tests.lab.chain.chain import Chain


@pytest.fixture(scope="session")
def chain(hypervisor):
    """The running chain on the session's hypervisor."""
    with Chain(hypervisor) as running:
        yield running
