# SPDX-License-Identifier: Apache-2.0
"""The definitions of etc/ceilometer for Gnocchi, read by Ceilometer's own loader."""

import pathlib

import pytest
import yaml
from ceilometer import publisher, service
from ceilometer.publisher.gnocchi import GnocchiPublisher

from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.reasons import STATES

STOCK = pathlib.Path(publisher.__file__).parent / "data/gnocchi_resources.yaml"
OURS = pathlib.Path(__file__).parents[2] / "etc/ceilometer/gnocchi_resources.memballoon.yaml"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory):
    """The resource definitions and archive policies of both files together."""
    merged = tmp_path_factory.mktemp("etc") / "gnocchi_resources.yaml"
    merged.write_text(STOCK.read_text() + OURS.read_text())
    conf = service.prepare_service(["test"], config_files=[])
    return GnocchiPublisher._load_definitions(conf, None, str(merged))


@pytest.fixture(scope="module")
def instances(definitions):
    """The definitions of the resource type 'instance'."""
    resources, _ = definitions
    return [resource for resource in resources if resource.cfg["resource_type"] == "instance"]


def test_every_meter_is_accepted(instances):
    accepted = {metric for resource in instances for metric in resource.metrics}
    assert {meter.name for meter in METERS.values()} - accepted == set()


def test_nothing_else_is_added():
    (ours,) = yaml.safe_load(OURS.read_text())
    assert set(ours["metrics"]) <= {meter.name for meter in METERS.values()}


def test_cumulative_meters_of_ours_get_a_policy_with_rates(definitions, instances):
    _, policies = definitions
    rated = {p["name"] for p in policies if "rate:mean" in p["aggregation_methods"]}
    used = {name: extra["archive_policy_name"] for name, extra in instances[-1].metrics.items()}
    expected = {m.name for m in METERS.values() if m.type == "cumulative" and m.name in used}
    assert {name for name, policy in used.items() if policy in rated} == expected


def test_every_verdict_number_is_documented():
    text = " ".join(OURS.read_text().replace("#", " ").split())
    named = {f"{number} {reason.value if reason else 'ok'}" for reason, number in STATES.items()}
    assert {name for name in named if name not in text} == set()


def test_attributes_are_those_of_ceilometers_own_entry(instances):
    stock, ours = instances
    assert ours.cfg["attributes"] == stock.cfg["attributes"]
