# SPDX-License-Identifier: Apache-2.0
"""The agent as a user that may only read, and as a user that may write."""

import pytest

from ceilometer_memballoon.domain_xml import parse_balloon
from tests.cloud.exported import wait_for_usage, warnings_about
from tests.lab.waiting import wait_long_for

SECONDS = 90
NOVA_PERIOD = 10


@pytest.fixture(scope="module")
def server(boot):
    return boot("guarded", host="compute-1")


@pytest.fixture
def unprivileged(cloud):
    """Start compute-1's agent as the user ceilometer.

    The usual agent runs again after the test.
    """
    host = cloud.hosts["compute-1"]

    def start(settings=""):
        return host.start_agent(prefix=host.hypervisor.as_user, settings=settings)

    yield start
    host.start_agent()


def test_read_only_agent_reports(unprivileged, server):
    agent = unprivileged("[memballoon]\nset_periods = false\n")
    wait_for_usage(server)
    agent.wait_for_cycles(2)
    assert warnings_about(server) == []
    assert "Traceback" not in agent.log_text()


def test_agent_with_write_access_enables_a_server(unprivileged, server):
    unprivileged()
    server.domain.setMemoryStatsPeriod(0)
    wait_long_for(
        lambda: parse_balloon(server.domain.XMLDesc()).period == NOVA_PERIOD, SECONDS, "the period"
    )
    wait_for_usage(server)
