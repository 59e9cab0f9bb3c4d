# SPDX-License-Identifier: Apache-2.0
"""The alarms that are shipped, made by a plain member of a project."""

import pytest

from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.waiting import wait_long_for

pytestmark = pytest.mark.short

SECONDS = 240
GROUP = "alarmed"
THRESHOLD = "60"
SETTINGS = {"THRESHOLD": THRESHOLD, "GRANULARITY": str(INTERVAL), "WINDOW": f"{2 * INTERVAL}s"}
#: Enough for more than the threshold, in percent of the larger flavor, and not all.
TAKEN = 110
SCRIPTS = {
    "instance-memory.sh": {"INSTANCE": "{server}"},
    "server-group-memory.sh": {"SERVER_GROUP": GROUP},
    "prometheus-memory.sh": {"INSTANCE": "{server}"},
}
STATES = ["ok", "alarm", "ok", "insufficient data"]


@pytest.fixture(scope="module")
def server(boot):
    return boot("alarmed", flavor="lab-big", metadata={"metering.server_group": GROUP})


@pytest.fixture(scope="module")
def alarms(cloud, server):
    """The alarm of each script, by its name."""
    wait_long_for(lambda: cloud.measures(server.id, "memory.util", INTERVAL), SECONDS, "measures")
    return {
        script: cloud.create_alarm(
            script,
            WEBHOOK=cloud.webhook.url,
            **SETTINGS,
            **{name: value.format(server=server.id) for name, value in subject.items()},
        )
        for script, subject in SCRIPTS.items()
    }


@pytest.fixture(scope="module")
def told(cloud, server, alarms):
    """The states that the webhook heard of, by script, while memory was taken and given back."""

    def heard():
        return {script: cloud.webhook.states(alarm) for script, alarm in alarms.items()}

    def wait_for_state(count):
        wait_long_for(
            lambda: all(len(states) >= count for states in heard().values()),
            SECONDS, f"{STATES[count - 1]} at the webhook", lambda: str(heard()),
        )  # fmt: skip

    wait_for_state(1)
    server.take(TAKEN)
    wait_for_state(2)
    server.give_back()
    wait_for_state(3)
    server.command("unload")
    wait_for_state(4)
    return heard()


@pytest.mark.parametrize("script", SCRIPTS)
def test_webhook_hears_of_need_relief_and_silence(told, script):
    assert told[script] == STATES


@pytest.mark.parametrize("script", SCRIPTS)
def test_description_has_the_threshold_that_was_given(cloud, alarms, script):
    alarm = cloud.get("aodh", f"/v2/alarms/{alarms[script]}")
    assert f"{THRESHOLD} %" in alarm["description"]
