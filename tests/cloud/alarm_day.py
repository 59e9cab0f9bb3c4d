# SPDX-License-Identifier: Apache-2.0
"""A server that takes memory, gives it back and falls silent, under every shipped alarm.

It takes minutes, most of them waiting, so it passes in a thread beside other tests.
"""

import threading

from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.waiting import wait_long_for

SECONDS = 240
JOIN_SECONDS = 1200
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


class AlarmDay:
    """Begins at once. alarms: ids by script; told: the states at the webhook by script."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.alarms = {}
        self.told = {}
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self):
        """Until the day is over; raise what went wrong in it."""
        self._thread.join(timeout=JOIN_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"the alarms' day does not end: {self.told}")
        if self._error is not None:
            raise self._error

    def _run(self):
        try:
            self._live()
        except Exception as error:  # the test that waits raises it
            self._error = error

    def _live(self):
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
        def all_heard():
            states = self.cloud.webhook.states
            self.told = {script: list(states(alarm)) for script, alarm in self.alarms.items()}
            return all(len(heard) >= count for heard in self.told.values())

        wait_long_for(
            all_heard, SECONDS, f"{STATES[count - 1]} at the webhook", lambda: str(self.told)
        )
