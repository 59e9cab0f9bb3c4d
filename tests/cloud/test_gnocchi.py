# SPDX-License-Identifier: Apache-2.0
"""What Gnocchi stores about servers, as a member of their project reads it under Keystone."""

import datetime
import math
import time

import pytest

from ceilometer_memballoon.meters import METERS
from tests.cloud.exported import SECONDS, meters
from tests.lab.waiting import wait_long_for

pytestmark = pytest.mark.short

GROUP = "web"
CYCLES = 3


@pytest.fixture(scope="module")
def server(boot):
    return boot("measured", metadata={"metering.server_group": GROUP})


def resource(cloud, server):
    return cloud.get("gnocchi", f"/v1/resource/instance/{server.id}")


def test_gnocchi_measures_equal_the_exported_values(cloud, server):
    begin, read = math.ceil(time.time()), exported_meanwhile(server)
    end = time.time() - server.host.interval
    # Some meters need a newer QEMU than this machine may have.
    named = {name: values for name, values in read.items() if values != {None}}
    assert {"memory.usage", "memory.resident", "memory.stats.state"} <= set(named)
    for name, values in named.items():
        kept = wait_long_for(
            lambda name=name: measures(cloud, server, name, begin, end), SECONDS, name
        )
        assert set(kept) - values == set()


def exported_meanwhile(server):
    """Return all values that the agent exported during some cycles, by meter name."""
    read = {meter.name: set() for meter in METERS.values()}
    end = time.monotonic() + CYCLES * server.host.interval
    server.take(8)
    while time.monotonic() < end:
        found = meters(server)
        for meter in METERS.values():
            read[meter.name].add(found.get(f"ceilometer_{meter.pollster}"))
        time.sleep(0.5)
    return read


def measures(cloud, server, name, begin, end):
    """Return Gnocchi's values by the second, from begin to end."""
    return [
        value
        for when, value in cloud.measures(server.id, name, granularity=1)
        if begin <= datetime.datetime.fromisoformat(when).timestamp() <= end
    ]


def test_resource_has_the_servers_attributes(cloud, server):
    found = resource(cloud, server)
    shown = server.show()
    expected = {
        "display_name": "measured",
        "host": server.host.name,
        "flavor_name": "lab",
        "project_id": shown.project_id,
        "user_id": shown.user_id,
        "server_group": GROUP,
    }
    assert {name: found[name] for name in expected} == expected


def test_server_group_survives_updates_by_both_writers(cloud, server):
    # Nova's notifications and each cycle's samples both update the resource.
    cloud.admin.compute.pause_server(server.id)
    server.wait_for_status("PAUSED")
    cloud.admin.compute.unpause_server(server.id)
    server.wait_for_status("ACTIVE")
    server.host.agent.wait_for_cycles(2)
    history = cloud.get("gnocchi", f"/v1/resource/instance/{server.id}/history")
    assert {revision["server_group"] for revision in history} == {GROUP}
