# SPDX-License-Identifier: Apache-2.0
"""Heat's autoscaling by memory, as a plain member: it adds a server under load and removes it."""

import pathlib
import re

import pytest

from tests.cloud.exported import wait_for_usage
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.cloud.server import Server
from tests.lab.waiting import wait_long_for

TEMPLATES = pathlib.Path(__file__).parents[2] / "etc/aodh"
STACK_SECONDS = 300
SCALE_SECONDS = 420
#: The cooldown of a scaling policy, in seconds. The shipped templates have a longer one.
COOLDOWN = 20
HIGH, LOW = 60, 45
TAKEN = 60


def shortened(text):
    """Return the template with times that a test can wait for."""
    text = re.sub(r"(granularity: )60\b", rf"\g<1>{INTERVAL}", text)
    text = re.sub(r"(cooldown: )\d+", rf"\g<1>{COOLDOWN}", text)
    text = re.sub(r"\[\d+m\]", f"[{2 * INTERVAL}s]", text)
    text = re.sub(r"\[\d+m:1m\]", f"[{3 * INTERVAL}s:{INTERVAL}s]", text)
    return re.sub(r"(evaluation_periods: )10\b", r"\g<1>3", text)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("autoscaling*.yaml")))
def test_stack_grows_under_load_and_shrinks_again(cloud, name):
    template = shortened((TEMPLATES / name).read_text())
    orchestration = cloud.member.orchestration
    stack = orchestration.create_stack(
        name=name.partition(".")[0],
        template=template,
        parameters={
            "image": "lab", "flavor": "lab", "fewest": 1, "most": 2, "high": HIGH, "low": LOW,
        },
    )  # fmt: skip
    try:
        wait_for_stack(cloud, stack)
        (first,) = servers(cloud, stack)
        first.wait_until_up()
        wait_for_usage(first)
        first.take(TAKEN)
        wait_long_for(lambda: len(servers(cloud, stack)) == 2, SCALE_SECONDS, "one more",
                      lambda: alarms(cloud))  # fmt: skip
        first.give_back()
        wait_long_for(lambda: len(servers(cloud, stack)) == 1, SCALE_SECONDS, "one less",
                      lambda: alarms(cloud))  # fmt: skip
    finally:
        orchestration.delete_stack(stack)
        orchestration.wait_for_delete(stack, wait=STACK_SECONDS)


def wait_for_stack(cloud, stack):
    def complete():
        found = cloud.member.orchestration.get_stack(stack.id)
        if found.status == "CREATE_FAILED":
            raise RuntimeError(found.status_reason)
        return found.status == "CREATE_COMPLETE"

    wait_long_for(complete, STACK_SECONDS, "the stack")


def servers(cloud, stack):
    """Return the servers of the stack that have been built."""
    return [
        Server(cloud, server.id, server.name)
        for server in cloud.member.compute.servers()
        if server.metadata.get("metering.server_group") == stack.id and server.status == "ACTIVE"
    ]


def alarms(cloud):
    return str(
        [(a["name"], a["state"], a["state_reason"]) for a in cloud.get("aodh", "/v2/alarms")]
    )
