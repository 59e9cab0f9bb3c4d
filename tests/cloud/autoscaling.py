# SPDX-License-Identifier: Apache-2.0
"""A stack of an autoscaling template that grows under load and shrinks again."""

import pathlib
import re

from tests.cloud.background import Background
from tests.cloud.exported import wait_for_usage
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.cloud.server import Server
from tests.lab.waiting import wait_long_for

FOLDER = pathlib.Path(__file__).parents[2] / "etc/aodh"
TEMPLATES = sorted(path.name for path in FOLDER.glob("autoscaling*.yaml"))
STACK_SECONDS = 300
SCALE_SECONDS = 420
#: The cooldown of a scaling policy, in seconds. The shipped templates have a longer one.
COOLDOWN = 20
HIGH, LOW = 60, 45
TAKEN = 60
SIZES = [1, 2, 1]


class Autoscaling:
    """The life of one stack, which starts at once. sizes: the numbers of servers so far."""

    def __init__(self, cloud, template):
        self.cloud = cloud
        self.sizes = []
        self._template = template
        self._orchestration = cloud.member.orchestration
        self._steps = Background(
            template, self._run_steps, lambda: f"{self.sizes} {self._alarms()}"
        )

    def wait(self):
        """Wait until the stack is deleted. Raises the error that ended its life."""
        self._steps.wait()

    def _run_steps(self):
        self._stack = stack = self._create()
        try:
            self._wait_for_stack()
            self._wait_for_size(1)
            (first,) = self._servers()
            first.wait_until_up()
            wait_for_usage(first)
            first.take(TAKEN)
            self._wait_for_size(2)
            first.give_back()
            self._wait_for_size(1)
        finally:
            self._orchestration.delete_stack(stack)
            self._orchestration.wait_for_delete(stack, wait=STACK_SECONDS)

    def _create(self):
        return self._orchestration.create_stack(
            name=self._template.partition(".")[0],
            template=_shortened((FOLDER / self._template).read_text()),
            parameters={
                "image": "lab", "flavor": "lab", "fewest": 1, "most": 2, "high": HIGH, "low": LOW,
            },
        )  # fmt: skip

    def _wait_for_stack(self):
        def complete():
            found = self._orchestration.get_stack(self._stack.id)
            if found.status == "CREATE_FAILED":
                raise RuntimeError(found.status_reason)
            return found.status == "CREATE_COMPLETE"

        wait_long_for(complete, STACK_SECONDS, "the stack")

    def _wait_for_size(self, size):
        wait_long_for(
            lambda: len(self._servers()) == size, SCALE_SECONDS, f"{size} servers", self._alarms
        )
        self.sizes.append(size)

    def _servers(self):
        """Return the servers of the stack that have been built."""
        return [
            Server(self.cloud, server.id, server.name)
            for server in self.cloud.member.compute.servers()
            if server.metadata.get("metering.server_group") == self._stack.id
            and server.status == "ACTIVE"
        ]

    def _alarms(self):
        found = self.cloud.get("aodh", "/v2/alarms")
        return str([(alarm["name"], alarm["state"], alarm["state_reason"]) for alarm in found])


def _shortened(text):
    """Return the template with times that a test can wait for."""
    text = re.sub(r"(granularity: )60\b", rf"\g<1>{INTERVAL}", text)
    text = re.sub(r"(cooldown: )\d+", rf"\g<1>{COOLDOWN}", text)
    text = re.sub(r"\[\d+m\]", f"[{2 * INTERVAL}s]", text)
    text = re.sub(r"\[\d+m:1m\]", f"[{3 * INTERVAL}s:{INTERVAL}s]", text)
    return re.sub(r"(evaluation_periods: )10\b", r"\g<1>3", text)
