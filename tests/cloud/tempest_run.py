# SPDX-License-Identifier: Apache-2.0
"""The tests of Tempest, which mostly wait and so run beside the other tests."""

import pathlib
import re

import yaml

from tests.cloud.background import Background
from tests.lab.cloud.tempest import Tempest

OURS = "memballoon_tempest_plugin.scenario.test_memory_alarm."
SCENARIOS = [
    OURS + "MemoryLoadTest.test_alarm_fires_under_load",
    OURS + "MemoryThresholdTest.test_alarm_fires_below_the_present_usage",
]
PEER = "telemetry_tempest_plugin."
LISTED = yaml.safe_load(pathlib.Path(__file__).with_name("tempest_exceptions.yaml").read_text())
#: One worker each, and one for all of telemetry-tempest-plugin's tests.
WORKERS = [re.escape(name) for name in (*SCENARIOS, PEER)]
EXCLUDED = "|".join(re.escape(PEER + name) for name in LISTED["not run"])


class TempestRun:
    """One run of all tests of Tempest, which starts at once."""

    def __init__(self, cloud):
        self._cloud = cloud
        self._outcomes = {}
        self._steps = Background("the run of Tempest", self._run)

    def wait(self):
        """Wait until the run is over. Return the outcomes by name; raises the run's error."""
        self._steps.wait()
        return self._outcomes

    def _run(self):
        self._outcomes = Tempest(self._cloud).run(WORKERS, EXCLUDED)
