# SPDX-License-Identifier: Apache-2.0
"""README.rst is true of the tables in the code."""

import pathlib
import re

import pytest

from ceilometer_memballoon.meters import METERS, MIB
from ceilometer_memballoon.reasons import STATES, Reason

README = (pathlib.Path(__file__).parents[2] / "README.rst").read_text()


@pytest.mark.parametrize("meter", METERS.values(), ids=lambda meter: meter.name)
def test_every_meter_has_its_row(meter):
    (row,) = re.findall(rf"^``{meter.pollster}`` .*$", README, re.MULTILINE)
    unit = "MiB" if meter.unit == MIB else meter.unit
    assert row.split()[:4] == [f"``{meter.pollster}``", meter.name, meter.type, unit]


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_every_reason_has_its_row_with_its_number(reason):
    assert re.search(rf"^{reason.value} +{STATES[reason]} +[A-Z]", README, re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"<((?:doc|etc)/[^>]+)>`_", README))
def test_every_link_into_the_tree_resolves(path):
    assert (pathlib.Path(__file__).parents[2] / path).exists()
