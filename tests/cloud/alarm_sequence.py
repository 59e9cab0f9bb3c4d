# SPDX-License-Identifier: Apache-2.0
"""A server that takes memory, frees it and stops reporting, under every shipped alarm.

This takes minutes, and most of them are waiting. So it runs in a thread beside other tests.
"""

import threading

from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.waiting import wait_long_for

SECONDS = 240
JOIN_SECONDS = 1200
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
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self):
        """Wait until the sequence is over. Raises the error that ended it."""
        self._thread.join(timeout=JOIN_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"the sequence of alarm states does not end: {self.webhook_states}")
        if self._error is not None:
            raise self._error

    def _run(self):
        try:
            self._run_steps()
        except Exception as error:  # wait() raises it
            self._error = error

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
