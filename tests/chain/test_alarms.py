# SPDX-License-Identifier: Apache-2.0
"""Alarms of Aodh on a real guest, and what Gnocchi stores of it."""

import datetime
import math
import pathlib
import time

import pytest
import yaml

from ceilometer_memballoon.meters import COMING, METERS
from ceilometer_memballoon.reading import FRESH_SECONDS
from tests.lab.chain.chain import INTERVAL, TIMES
from tests.lab.chain.prometheus import faster
from tests.lab.guest import Guest
from tests.lab.waiting import wait_long_for

SECONDS = 120
MEMORY = 192
#: The guest then uses more than the threshold, in percent, and not all of its memory.
TAKEN = 110
THRESHOLD = 60
SETTINGS = {"THRESHOLD": str(THRESHOLD), "GRANULARITY": str(INTERVAL), "WINDOW": f"{2 * INTERVAL}s"}
GROUP = "web"
#: Seconds by which a busy machine may delay a state in total: the agent's cycle, metricd and Aodh's
#: evaluation. A state that never comes still fails the test.
LATE = 4 * INTERVAL
#: The shipped script of each Aodh rule type, and its variables. Aodh restricts a project's alarm on
#: many resources to resources that the Ceilometer user created, as Keystone knows that user. There
#: is no Keystone here. Aodh does not restrict an administrator's alarm.
SCRIPTS = {
    "gnocchi_resources_threshold": ("instance-memory.sh", {"INSTANCE": "{guest}"}),
    "gnocchi_aggregation_by_resources_threshold": (
        "server-group-memory.sh",
        {"SERVER_GROUP": GROUP, "OS_ROLES": "admin"},
    ),
    "prometheus": ("prometheus-memory.sh", {"INSTANCE": "{guest}"}),
}
#: Queries that a member of a project uses. Aodh adds the project to each metric of Prometheus.
QUERIES = {
    "Heat's template": faster(
        yaml.safe_load(
            (pathlib.Path(__file__).parents[2] / "etc/aodh/autoscaling-prometheus.yaml").read_text()
        )["resources"]["memory_high"]["properties"]["query"]["str_replace"]["template"],
        TIMES,
    ).replace("STACK", GROUP),
    "a recorded series": '100 * avg(guest:memory_util:ratio{resource="GUEST"})',
}
KINDS = [*SCRIPTS, *QUERIES]
#: Seconds that a query covers, besides two intervals.
LOOK_BACK = {"Heat's template": 3 * INTERVAL, "a recorded series": 2 * INTERVAL}


@pytest.fixture(scope="module")
def guest(hypervisor):
    """A guest of the server group."""
    running = Guest(hypervisor, "instance-alarmed", memory=MEMORY, server_group=GROUP)
    yield running.wait_until_up()
    running.destroy()


@pytest.fixture(scope="module")
def alarms(chain, guest):
    """An alarm of each kind on the guest, by kind. All of them are ok."""
    chain.wait_for_measures(guest)
    made = {
        kind: chain.aodh.create(
            script, WEBHOOK=chain.webhook.url, **SETTINGS,
            **{name: value.format(guest=guest.uuid) for name, value in subject.items()},
        )
        for kind, (script, subject) in SCRIPTS.items()
    }  # fmt: skip
    for kind, query in QUERIES.items():
        made[kind] = chain.aodh.create_prometheus(
            query.replace("GUEST", guest.uuid), THRESHOLD, chain.webhook.url
        )
    wait_for_all(chain, made, "ok")
    return made


@pytest.fixture(scope="module")
def seconds_to_silence(chain, guest, alarms):
    """Make the guest take memory, free it, and stop reporting.

    Return the seconds from then on until each alarm has insufficient data, by alarm.
    """
    guest.take(TAKEN)
    wait_for_all(chain, alarms, "alarm")
    guest.give_back()
    wait_for_all(chain, alarms, "ok")
    begin = time.monotonic()
    guest.unload_driver()
    found = {}

    def all_silent():
        states = chain.aodh.states()
        for kind, alarm in alarms.items():
            if kind not in found and states[alarm] == "insufficient data":
                found[kind] = time.monotonic() - begin
        return len(found) == len(alarms)

    wait_long_for(all_silent, SECONDS, "insufficient data", lambda: str(found))
    return found


def wait_for_all(chain, alarms, state):
    def all_are():
        states = chain.aodh.states()
        return {states[alarm] for alarm in alarms.values()} == {state}

    wait_long_for(all_are, SECONDS, f"all alarms: {state}", lambda: str(chain.aodh.states()))


@pytest.mark.parametrize("kind", KINDS)
def test_webhook_receives_alarm_ok_and_insufficient_data(chain, alarms, seconds_to_silence, kind):
    expected = ["ok", "alarm", "ok", "insufficient data"]
    wait_long_for(
        lambda: len(chain.webhook.states(alarms[kind])) >= len(expected), SECONDS, "webhooks"
    )
    assert chain.webhook.states(alarms[kind]) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_silent_guest_has_insufficient_data_in_time(seconds_to_silence, measured, kind):
    measured(f"insufficient data, {kind}", f"{seconds_to_silence[kind]:.0f} s")
    assert seconds_to_silence[kind] < (FRESH_SECONDS + 2 * INTERVAL + LOOK_BACK.get(kind, 0) + LATE)


def test_gnocchi_measures_equal_the_values_of_the_agent(chain, boot):
    guest = boot("instance-measured", memory=MEMORY)
    wait_long_for(
        lambda: chain.agent.usage(guest.uuid), SECONDS, "memory.usage", chain.agent.log_text
    )
    begin, read = math.ceil(time.time()), exported_meanwhile(chain, guest)
    end = time.time() - INTERVAL
    for meter in SENT:
        kept = wait_long_for(
            lambda m=meter: measures(chain, guest, m, begin, end), SECONDS, meter.name
        )
        assert set(kept) - read[meter.name] == set()


#: The meters whose statistics libvirt reports today.
SENT = [meter for meter in METERS.values() if meter not in COMING]


def exported_meanwhile(chain, guest, cycles=4):
    """Return all values that the agent exported during those cycles, by meter."""
    read = {meter.name: set() for meter in SENT}
    end = time.monotonic() + cycles * INTERVAL
    guest.take(8)
    while time.monotonic() < end:
        found = chain.agent.metrics()
        for meter in SENT:
            read[meter.name].add(found.get((f"ceilometer_{meter.pollster}", guest.uuid)))
        time.sleep(0.5)
    return read


def measures(chain, guest, meter, begin, end):
    """Return Gnocchi's values by the second, from begin to end. Empty if there are fewer than
    two."""
    kept = [
        value
        for when, value in chain.gnocchi.measures(guest.uuid, meter.name, 1)
        if begin <= datetime.datetime.fromisoformat(when).timestamp() <= end
    ]
    return kept if len(kept) > 1 else []
