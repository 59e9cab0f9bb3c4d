# SPDX-License-Identifier: Apache-2.0
"""The statistics period: what Nova sets, what the plugin adds, and what it does not change."""

import pytest

from ceilometer_memballoon.domain_xml import parse_balloon
from ceilometer_memballoon.reading import Reason
from tests.cloud.exported import wait_for_silence, wait_for_usage
from tests.lab.waiting import wait_long_for

pytestmark = pytest.mark.short

NOVA_PERIOD = 10
SECONDS = 90


def balloon(server):
    return parse_balloon(server.domain.XMLDesc())


@pytest.fixture(scope="module")
def seeded(boot):
    return boot("seeded", host="compute-1")


def test_agent_keeps_the_period_of_nova(seeded):
    assert balloon(seeded).period == NOVA_PERIOD
    lines = [line for line in seeded.host.agent.own_lines() if seeded.id in line]
    assert [line for line in lines if "period" in line] == []


def test_agent_enables_a_server_whose_period_is_off(seeded):
    seeded.domain.setMemoryStatsPeriod(0)
    wait_long_for(lambda: balloon(seeded).period == NOVA_PERIOD, SECONDS, "the period is set")
    wait_for_usage(seeded)


def test_remedy_for_a_server_without_a_balloon_works(cloud, boot, verdict):
    host = cloud.hosts["compute-2"]
    cloud.set_period(host, 0)
    try:
        server = boot("bare", host=host.name, reports=False)
        assert balloon(server).model == "none"
        wait_for_silence(server, resident=True)
        assert verdict(server) == Reason.NO_BALLOON_DEVICE.value
    finally:
        cloud.set_period(host, NOVA_PERIOD)
    # As the remedy says: set the option and hard-reboot the instance.
    cloud.admin.compute.reboot_server(server.id, "HARD")
    server.wait_until_up()
    assert balloon(server).period == NOVA_PERIOD
    wait_for_usage(server)
