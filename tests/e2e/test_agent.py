# SPDX-License-Identifier: Apache-2.0
"""The real ceilometer-polling on real guests, seen through its exporter."""

import pathlib
import re

import pytest
import yaml

from ceilometer_memballoon.reading import Reason
from tests.lab.agent import Agent
from tests.lab.clock import Clock
from tests.lab.guest import Guest
from tests.lab.waiting import wait_for

POLLING_YAML = pathlib.Path(__file__).parents[2] / "etc/ceilometer/polling.yaml"
USAGE, RESIDENT = "ceilometer_memory_usage", "ceilometer_memory_resident"
SECONDS = 60
#: The option's value for the agent that most tests share. No guest boots with it.
PERIOD = 5
#: Seconds by which the clock is stepped. Statistics of this age are stale.
STALE_SECONDS = 120


def wait_for_usage(agent, guest):
    return wait_for(lambda: agent.usage(guest.uuid), SECONDS, "memory.usage", agent.log_text)


@pytest.fixture(scope="class")
def guests(hypervisor):
    """One running guest of each kind, by kind."""
    kinds = {"healthy": {}, "off": {"period": None}, "driverless": {"driver": False}}
    booting = {kind: Guest(hypervisor, f"kind-{kind}", **how) for kind, how in kinds.items()}
    try:
        yield {kind: guest.wait_until_up() for kind, guest in booting.items()}
    finally:
        for guest in booting.values():
            guest.destroy()


@pytest.fixture(scope="class")
def agent(hypervisor, guests):
    """One agent for all guests."""
    with Agent(hypervisor, interval=1, period=PERIOD) as running:
        yield running


class TestOneAgentForGuestsOfAllKinds:
    def test_healthy_guest_is_reported_with_both_meters(self, agent, guests):
        guest = guests["healthy"]
        used = wait_for_usage(agent, guest)
        resident = wait_for(lambda: agent.resident(guest.uuid), SECONDS, "memory.resident")
        assert 0 < used < guest.memory
        assert resident > used

    def test_guest_without_a_period_is_enabled_and_reported(self, agent, guests):
        wait_for_usage(agent, guests["off"])
        assert guests["off"].live_period() == PERIOD

    def test_guest_without_driver_has_its_reason_logged_once(self, agent, guests):
        guest = guests["driverless"]
        agent.wait_for_cycles(3)
        lines = re.findall(f"Instance {guest.uuid}: (.*?)\\.", agent.log_text())
        assert lines == ["no memory"], agent.log_text()
        assert agent.reason(guest.uuid) == Reason.NO_GUEST_DRIVER.value

    def test_agent_ends_cleanly(self, agent, guests):
        wait_for_usage(agent, guests["healthy"])
        assert agent.stop() == 0


@pytest.mark.purging_exporter
def test_guest_is_untouched_and_goes_stale_with_the_option_off(boot, start_agent, hypervisor):
    guest = boot(period=None)
    before = guest.live_xml()
    clock = Clock(hypervisor)
    agent = start_agent(interval=1, period=0, environment=clock.environment)
    agent.wait_for_cycles(1)
    clock.step(STALE_SECONDS)
    wait_for(lambda: agent.reason(guest.uuid) == Reason.STALE.value, SECONDS, "staleness")
    wait_for(lambda: (USAGE, guest.uuid) not in agent.metrics(), SECONDS, "no usage")
    wait_for(lambda: (RESIDENT, guest.uuid) in agent.metrics(), SECONDS, "resident")
    assert guest.live_xml() == before


@pytest.mark.purging_exporter
def test_gauges_are_removed_with_the_last_guest(boot, start_agent):
    guest = boot()
    agent = start_agent(interval=1)
    wait_for_usage(agent, guest)
    guest.destroy()
    wait_for(lambda: agent.metrics() == {}, SECONDS, "no gauges")


@pytest.mark.parametrize("threads", [0, 1])
def test_both_pollsters_work_beside_a_stock_one(boot, start_agent, threads):
    guest = boot()
    agent = start_agent(
        interval=1,
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
    stock, ours = yaml.safe_load(POLLING_YAML.read_text())["sources"]
    # The guest has no devices, and old releases do not have all stock pollsters.
    wanted = {(f"ceilometer_{name}", guest.uuid) for name in ours["meters"]}
    wanted |= {("ceilometer_cpu", guest.uuid), ("ceilometer_power_state", guest.uuid)}
    others = {(f"ceilometer_{name.replace('.', '_')}", guest.uuid) for name in stock["meters"]}
    wait_for(lambda: wanted <= set(agent.metrics()), SECONDS, "its meters", agent.log_text)
    assert set(agent.metrics()) <= wanted | others
    assert "have the same interval as memory pollsters" not in agent.log_text()
