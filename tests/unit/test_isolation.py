# SPDX-License-Identifier: Apache-2.0
"""Which stock pollsters share a polling task with ours."""

import pathlib

import pytest
import yaml
from ceilometer.polling.manager import PollingSource

from ceilometer_memballoon.isolation import describe, find_shared_intervals

SHIPPED = pathlib.Path(__file__).parents[2] / "etc/ceilometer/polling.yaml"


def sources(*pairs):
    return [
        PollingSource({"name": f"source-{number}", "interval": interval, "meters": list(meters)})
        for number, (interval, meters) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([(60, ["memory_usage", "cpu"])], {60: ["cpu"]}),
        ([(60, ["memory_usage"]), (60, ["cpu", "disk.device.usage"])],
         {60: ["cpu", "disk.device.usage"]}),
        ([(60, ["memory_usage"]), (300, ["cpu"])], {}),
        ([(60, ["memory_usage"]), (300, ["cpu"]), (300, ["memory_util"])], {300: ["cpu"]}),
        # These pollsters do not ask libvirt.
        ([(60, ["memory_usage", "disk.root.size", "volume.size"])], {}),
        ([(60, ["cpu"])], {}),
    ],
)  # fmt: skip
def test_stock_pollsters_of_the_same_interval_are_found(pairs, found):
    assert find_shared_intervals(sources(*pairs)) == found


def test_wildcard_shares_the_interval_with_all_of_them():
    found = find_shared_intervals(sources((60, ["memory_usage"]), (60, ["*"])))
    assert {"cpu", "power.state", "network.incoming.bytes"} <= set(found[60])


def test_description_names_pollsters_interval_and_remedy():
    text = describe({60: ["cpu"]})
    assert "cpu every 60 s" in text
    assert "serve_stock_meters" in text


def test_shipped_polling_yaml_isolates_the_plugin():
    shipped = [PollingSource(one) for one in yaml.safe_load(SHIPPED.read_text())["sources"]]
    assert find_shared_intervals(shipped) == {}
