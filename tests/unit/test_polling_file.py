# SPDX-License-Identifier: Apache-2.0
"""Which line of polling.yaml to change, with Ceilometer's own sources."""

import pytest
from ceilometer.polling.manager import PollingSource

from ceilometer_memballoon.polling_file import duplicate_remedies


def source(*meters):
    return PollingSource({"name": "all", "interval": 60, "meters": list(meters)})


@pytest.mark.parametrize(
    ("meters", "remedies"),
    [
        (["memory_usage"], []),
        (["memory_usage", "memory.usage"], ["remove the line '- memory.usage' from source all"]),
        (["*"], ["add the line '- \"!memory.usage\"' to source all"]),
        (["*", "!memory.usage"], []),
        (["!cpu"], ["add the line '- \"!memory.usage\"' to source all"]),
        (
            ["memory.*"],
            ["name the wanted meters in source all instead of the line '- memory.*'"],
        ),
    ],
)
def test_remedy_is_the_line_that_selects_the_stock_pollster(meters, remedies):
    assert duplicate_remedies([source(*meters)], "memory.usage") == remedies


def test_every_remedy_is_one_that_ceilometer_takes():
    assert source("*", "!memory.usage").support_meter("memory_usage")
