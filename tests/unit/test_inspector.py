# SPDX-License-Identifier: Apache-2.0
"""The answers to Ceilometer's own pollsters, with a stand-in for the node."""

from types import SimpleNamespace

import pytest
from ceilometer import service
from ceilometer.compute.virt.inspector import InstanceNotFoundException

from ceilometer_memballoon.inspector import Inspector
from ceilometer_memballoon.record import Outcome, Record

INSTANCE = SimpleNamespace(id="a", name="a")
FIELDS = {"state.state": 1, "vcpu.current": 2, "cpu.time": 7, "balloon.maximum": 4}


def inspected(**changed):
    fields = {name: value for name, value in {**FIELDS, **changed}.items() if value is not None}
    record = Record(uuid="a", id=1, name="a", outcome=Outcome.READ, fields=fields)
    node = SimpleNamespace(
        record=lambda question, uuid, stopped: record, memory=lambda record: {}, block_info=None
    )
    conf = service.prepare_service(["test"], config_files=[])
    return Inspector(conf, node).inspect_instance(INSTANCE)


def test_processor_time_and_number_are_passed_on():
    stats = inspected()
    assert (stats.cpu_time, stats.cpu_number) == (7, 2)


@pytest.mark.parametrize(
    ("field", "attribute"), [("cpu.time", "cpu_time"), ("vcpu.current", "cpu_number")]
)
def test_missing_processor_statistic_is_not_zero(field, attribute):
    stats = inspected(**{field: None})
    with pytest.raises(InstanceNotFoundException):
        getattr(stats, attribute)
