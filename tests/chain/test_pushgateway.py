# SPDX-License-Identifier: Apache-2.0
"""Samples sent through Ceilometer's publisher prometheus:// and a push gateway."""

import pathlib

import pytest
import yaml

from tests.lab.chain.chain import TIMES
from tests.lab.chain.prometheus import ALERTS, PUSH_RULES, RULES, Prometheus, promtool
from tests.lab.guest import PROJECT
from tests.lab.waiting import wait_long_for

HERE = pathlib.Path(__file__).parent
UNIT_TESTS = HERE / "pushgateway.test.yml"
SECONDS = 120
RULE_NAMES = [
    rule["record"] for rule in yaml.safe_load(PUSH_RULES.read_text())["groups"][0]["rules"]
]


@pytest.fixture(scope="module")
def prometheus(chain, hypervisor):
    """A Prometheus that scrapes the chain's push gateway, and no exporter."""
    with Prometheus(
        hypervisor.folder, {}, times=TIMES, authority=chain.certificates.authority,
        pushgateway=chain.pushgateway.port,
    ) as running:  # fmt: skip
        yield running


def test_promtool_accepts_the_rules():
    promtool(HERE, "check", "rules", PUSH_RULES, RULES, ALERTS)


def test_promtools_rule_tests_pass():
    promtool(HERE, "test", "rules", UNIT_TESTS)


@pytest.mark.parametrize("name", RULE_NAMES)
def test_every_rule_has_a_promtool_test(name):
    assert f"expr: {name}," in UNIT_TESTS.read_text()


def test_pushed_guest_has_recorded_series_until_it_stops_reporting(boot, chain, prometheus):
    guest = boot("instance-pushed")
    of_guest = f'{{host="pushgateway", project="{PROJECT}", resource="{guest.uuid}"}}'
    for name in ("guest:memory_usage:mib", "guest:memory_resident:mib", "guest:memory_util:ratio"):
        wait_long_for(lambda n=name: prometheus.query(n + of_guest), SECONDS, name)
    guest.unload_driver()
    wait_long_for(
        lambda: not prometheus.query("guest:memory_usage:mib" + of_guest), SECONDS, "silence"
    )
    assert prometheus.query("guest:memory_resident:mib" + of_guest)
