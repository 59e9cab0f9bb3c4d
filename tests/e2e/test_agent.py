# SPDX-License-Identifier: Apache-2.0
"""The real ceilometer-polling on real guests, seen through its exporter."""

import pathlib
import re

import pytest
import yaml

from ceilometer_memballoon.domain_xml import parse_balloon
from ceilometer_memballoon.reading import Reason
from tests.lab.waiting import wait_for

POLLING_YAML = pathlib.Path(__file__).parents[2] / "etc/ceilometer/polling.yaml"
USAGE, RESIDENT = "ceilometer_memory_usage", "ceilometer_memory_resident"
SECONDS = 60


def wait_for_usage(agent, guest):
    return wait_for(lambda: agent.usage(guest.uuid), SECONDS, "memory.usage", agent.log_text)


def test_healthy_guest_is_reported_with_both_meters(boot, start_agent):
    guest = boot()
    agent = start_agent()
    used = wait_for_usage(agent, guest)
    resident = wait_for(lambda: agent.resident(guest.uuid), SECONDS, "memory.resident")
    assert 0 < used < guest.memory
    assert resident > used


def test_guest_without_a_period_is_switched_on_and_reported(boot, start_agent):
    guest = boot(period=None)
    agent = start_agent(period=5)
    wait_for_usage(agent, guest)
    assert parse_balloon(guest.live_xml()).period == 5


@pytest.mark.purging_exporter
def test_guest_is_untouched_and_goes_stale_with_the_option_off(boot, start_agent):
    guest = boot(period=None)
    before = guest.live_xml()
    agent = start_agent(period=0)
    wait_for(lambda: agent.reason(guest.uuid) == Reason.STALE.value, SECONDS, "staleness")
    wait_for(lambda: (USAGE, guest.uuid) not in agent.metrics(), SECONDS, "no usage")
    wait_for(lambda: (RESIDENT, guest.uuid) in agent.metrics(), SECONDS, "resident")
    assert guest.live_xml() == before


def test_guest_without_driver_has_its_reason_logged_once(boot, start_agent):
    guest = boot(driver=False)
    agent = start_agent()
    agent.wait_for_cycles(3)
    lines = re.findall(f"Instance {guest.uuid}: (.*?)\\.", agent.log_text())
    assert lines == ["no memory"]
    assert agent.reason(guest.uuid) == Reason.NO_GUEST_DRIVER.value


@pytest.mark.purging_exporter
def test_gauges_leave_with_the_last_guest(boot, start_agent):
    guest = boot()
    agent = start_agent()
    wait_for_usage(agent, guest)
    guest.destroy()
    wait_for(lambda: agent.metrics() == {}, SECONDS, "no gauges")


@pytest.mark.parametrize("threads", [0, 1])
def test_both_pollsters_work_beside_a_stock_one(boot, start_agent, threads):
    guest = boot()
    agent = start_agent(
        meters=("memory_usage", "memory_resident", "memory.swap.in"),
        polling_options=f"threads_to_process_pollsters = {threads}",
    )
    wanted = {USAGE, RESIDENT, "ceilometer_memory_swap_in"}
    both = {(name, guest.uuid) for name in wanted}
    wait_for(lambda: set(agent.metrics()) == both, SECONDS, "three meters", agent.log_text)
    assert "Traceback" not in agent.log_text()


def test_shipped_polling_yaml_gives_its_meters(boot, start_agent):
    guest = boot()
    agent = start_agent(polling=POLLING_YAML)
    (source,) = yaml.safe_load(POLLING_YAML.read_text())["sources"]
    wanted = {(f"ceilometer_{name}", guest.uuid) for name in source["meters"]}
    wait_for(lambda: set(agent.metrics()) == wanted, SECONDS, "its meters", agent.log_text)


def test_agent_ends_cleanly(boot, start_agent):
    guest = boot()
    agent = start_agent()
    wait_for_usage(agent, guest)
    assert agent.stop() == 0
