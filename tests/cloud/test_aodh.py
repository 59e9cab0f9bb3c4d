# SPDX-License-Identifier: Apache-2.0
"""The shipped alarms, created by a plain member of a project."""

import pytest

from tests.cloud.alarm_sequence import SCRIPTS, STATES, THRESHOLD
from tests.cloud.background import JOIN_SECONDS

pytestmark = [pytest.mark.short, pytest.mark.timeout(JOIN_SECONDS + 60)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_webhook_receives_alarm_ok_and_insufficient_data(alarm_sequence, script):
    alarm_sequence.wait()
    assert alarm_sequence.webhook_states[script] == STATES


@pytest.mark.parametrize("script", SCRIPTS)
def test_alarm_description_has_the_given_threshold(cloud, alarm_sequence, script):
    alarm_sequence.wait()
    alarm = cloud.get("aodh", f"/v2/alarms/{alarm_sequence.alarms[script]}")
    assert f"{THRESHOLD} %" in alarm["description"]
