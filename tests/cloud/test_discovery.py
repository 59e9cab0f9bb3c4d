# SPDX-License-Identifier: Apache-2.0
"""Every discovery method gives the same samples of the same servers."""

import datetime
import time

import pytest

from tests.cloud.exported import SECONDS, meters_of_a_cycle, wait_for_usage
from tests.lab.waiting import wait_long_for

GROUP = "discovered"
#: Options of the agent by discovery method. The plugin's discovery replaces libvirt_metadata.
WAYS = {
    "own": {"extra_metadata": False},
    "own with Nova's metadata": {},
    "libvirt_metadata": {"discoveries": ("local_instances",), "extra_metadata": False},
    "libvirt_metadata with Nova's": {"discoveries": ("local_instances",)},
    "naive": {"discovery": "naive"},
    "workload_partitioning": {"discovery": "workload_partitioning"},
}
OTHERS = [way for way in WAYS if way != "own"]
#: The compared keys of Gnocchi's resources. They exclude the time of the last update.
ATTRIBUTES = ("id", "project_id", "user_id", "display_name", "host", "flavor_name", "flavor_id")


@pytest.fixture(scope="module")
def server(boot):
    return boot("discovered", metadata={"metering.server_group": GROUP})


@pytest.fixture(scope="module")
def found(cloud, server):
    """Gnocchi's resource and the exporter's labels, by discovery method."""
    host = server.host
    seen = {}
    try:
        for way, options in WAYS.items():
            host.start_agent(**options)
            begin = time.time()
            wait_for_usage(server)
            host.agent.wait_for_cycles(1)
            wait_for_measure(cloud, server, begin)
            resource = cloud.get("gnocchi", f"/v1/resource/instance/{server.id}")
            seen[way] = (
                {name: resource[name] for name in ATTRIBUTES},
                resource["server_group"],
                meters_of_a_cycle(server, host),
            )
    finally:
        host.start_agent()
    return seen


def wait_for_measure(cloud, server, begin):
    """Wait until Gnocchi has a sample that was taken after this time."""

    def stored():
        found = cloud.measures(server.id, "memory.usage", granularity=1)
        return found and datetime.datetime.fromisoformat(found[-1][0]).timestamp() > begin

    wait_long_for(stored, SECONDS, "a new measure")


@pytest.mark.parametrize("way", OTHERS)
def test_resource_is_the_same(found, way):
    assert found[way][0] == found["own"][0]


@pytest.mark.parametrize("way", WAYS)
def test_server_group_is_kept(found, way):
    assert found[way][1] == GROUP


@pytest.mark.parametrize("way", OTHERS)
def test_meters_are_the_same(found, way):
    assert found[way][2] == found["own"][2]
