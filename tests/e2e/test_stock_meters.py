# SPDX-License-Identifier: Apache-2.0
"""Ceilometer's own libvirt meters and ours in one source of the real agent."""

import time

import libvirt
import pytest

from ceilometer_memballoon.discovery import NAME
from tests.lab.waiting import wait_for

SECONDS = 60
DEADLINE = 2.0
SERVED = "serve_stock_meters = true"
METERS = ("cpu", "power.state", "memory_usage", "memory_resident")
METRICS = {f"ceilometer_{name.replace('.', '_')}" for name in METERS}


def missing(agent, guests):
    """Return the metrics of these guests that the exporter does not show now."""
    return {(metric, guest.uuid) for metric in METRICS for guest in guests} - set(agent.metrics())


def wait_for_all(agent, *guests):
    wait_for(lambda: not missing(agent, guests), SECONDS, "all meters", agent.log_text)


def departed(agent, guest):
    return all((metric, guest.uuid) not in agent.metrics() for metric in METRICS)


#: Ceilometer's own discovery calls XMLDesc for each guest. From libvirt 11.0 on, this call waits
#: this many seconds for a guest whose monitor is occupied (doc/source/admin/node.rst).
XML_WAIT = 30
OWN_DISCOVERY_WAITS = libvirt.getVersion() >= 11_000_000
OURS = pytest.param((NAME,), id="ours")
CEILOMETERS = pytest.param((), id="ceilometer's")
#: The discoveries with which a hung guest costs the others nothing.
DISCOVERIES = [OURS] if OWN_DISCOVERY_WAITS else [OURS, CEILOMETERS]


@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_hung_guest_costs_others_no_meter_when_served(boot_many, start_agent, discovery):
    hung, *others = boot_many(3)
    agent = start_agent(
        interval=1, timeout=DEADLINE, meters=METERS, memballoon_options=SERVED, discovery=discovery
    )
    wait_for_all(agent, hung, *others)
    hung.hang()
    try:
        agent.wait_for_cycles(3)
        wait_for(lambda: departed(agent, hung), SECONDS, "no meter of it", agent.log_text)
        for meter in ("cpu", "memory_usage"):
            agent.wait_for_cycles(3, pollster=meter)
        wait_for_all(agent, *others)
    finally:
        hung.unhang()
    wait_for_all(agent, hung, *others)
    assert "Traceback" not in agent.log_text()


@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_hung_guest_logs_nothing_in_each_cycle_when_served(boot_many, start_agent, discovery):
    hung, other = boot_many(2)
    agent = start_agent(
        interval=1, timeout=DEADLINE, meters=METERS, memballoon_options=SERVED, discovery=discovery
    )
    wait_for_all(agent, hung, other)
    hung.hang()
    try:
        agent.wait_for_cycles(5)
        lines = [line for line in agent.log_text().splitlines() if hung.uuid in line]
        assert len([line for line in lines if " DEBUG " not in line]) <= 1
    finally:
        hung.unhang()


def test_ceilometers_discovery_waits_for_a_hung_guest_from_libvirt_11_on(boot_many, start_agent):
    hung, other = boot_many(2)
    agent = start_agent(interval=1, timeout=DEADLINE, meters=METERS, memballoon_options=SERVED)
    wait_for_all(agent, hung, other)
    hung.hang()
    begin = time.monotonic()
    # One cycle can be under way, and its discovery over.
    enough = agent.cycles("cpu") + 2
    try:
        wait_for(
            lambda: agent.cycles("cpu") >= enough, 3 * XML_WAIT, "second cycle", agent.log_text
        )
        assert (time.monotonic() - begin >= XML_WAIT) is OWN_DISCOVERY_WAITS
    finally:
        hung.unhang()
    wait_for_all(agent, hung, other)


def test_hung_guest_stops_all_meters_of_its_interval_when_not_served(boot_many, start_agent):
    hung, other = boot_many(2)
    agent = start_agent(interval=1, timeout=DEADLINE, meters=METERS)
    wait_for_all(agent, hung, other)
    assert agent.log_text().count("cpu, power.state every 1 s") == 1
    hung.hang()
    try:
        # The stock pollster can run before or after ours in the cycle that it stops.
        with pytest.raises(TimeoutError):
            agent.wait_for_cycles(3, seconds=10)
    finally:
        hung.unhang()
    agent.wait_for_cycles(1)
