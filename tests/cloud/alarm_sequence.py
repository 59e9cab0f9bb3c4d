# SPDX-License-Identifier: Apache-2.0
"""A server that takes memory, frees it and stops reporting, under every shipped alarm."""

from tests.cloud.background import Background
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.waiting import wait_long_for

SECONDS = 240
GROUP = "alarmed"
THRESHOLD = "60"
SETTINGS = {"THRESHOLD": THRESHOLD, "GRANULARITY": str(INTERVAL), "WINDOW": f"{2 * INTERVAL}s"}
#: The server then uses more than the threshold of the larger flavor, in percent, and not all of it.
TAKEN = 110
SCRIPTS = {
    "instance-memory.sh": {"INSTANCE": "{server}"},
    "server-group-memory.sh": {"SERVER_GROUP": GROUP},
    "prometheus-memory.sh": {"INSTANCE": "{server}"},
}
STATES = ["ok", "alarm", "ok", "insufficient data"]


class AlarmSequence:
    """The sequence, which starts at once.

    alarms: the alarms' ids by script. webhook_states: the states that reached the webhook, by
        script.
    """

    def __init__(self, cloud):
        self.cloud = cloud
        self.alarms = {}
        self.webhook_states = {}
        self._steps = Background(
            "the sequence of alarm states", self._run_steps, lambda: str(self.webhook_states)
        )

    def wait(self):
        """Wait until the sequence is over. Raises the error that ended it."""
        self._steps.wait()

    def _run_steps(self):
        group = {"metering.server_group": GROUP}
        server = self.cloud.server("alarmed", flavor="lab-big", metadata=group).wait_until_up()
        self._create_alarms(server)
        steps = [
            lambda: None,
            lambda: server.take(TAKEN),
            server.give_back,
            lambda: server.command("unload"),
        ]
        for count, step in enumerate(steps, 1):
            step()
            self._wait_for_states(count)
        server.delete()

    def _create_alarms(self, server):
        wait_long_for(
            lambda: self.cloud.measures(server.id, "memory.util", INTERVAL), SECONDS, "measures"
        )
        for script, subject in SCRIPTS.items():
            subjects = {name: value.format(server=server.id) for name, value in subject.items()}
            self.alarms[script] = self.cloud.create_alarm(
                script, WEBHOOK=self.cloud.webhook.url, **SETTINGS, **subjects
            )

    def _wait_for_states(self, count):
        def all_received():
            states = self.cloud.webhook.states
            self.webhook_states = {
                script: list(states(alarm)) for script, alarm in self.alarms.items()
            }
            return all(len(received) >= count for received in self.webhook_states.values())

        wait_long_for(
            all_received,
            SECONDS,
            f"{STATES[count - 1]} at the webhook",
            lambda: str(self.webhook_states),
        )
