# SPDX-License-Identifier: Apache-2.0
"""Two hosts with an agent each, one broker and two notification agents.

Each sample has to arrive exactly once.
"""

import collections
import contextlib
import datetime
import itertools
import json
import time

import pytest

from tests.lab.agent import Agent
from tests.lab.chain.notification import NotificationAgents
from tests.lab.chain.rabbitmq import RabbitMQ
from tests.lab.chain.service import folder_in
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor
from tests.lab.waiting import wait_long_for

SECONDS = 120
INTERVAL = 2
#: A cycle can start late. A lost cycle leaves a gap of two intervals.
LONGEST_GAP = 1.75 * INTERVAL
HOSTS = ("compute-1", "compute-2")
#: The option that loses fewest samples. Without it the broker stores nothing over its restart.
DURABLE = "amqp_durable_queues = true"
DURABLE_VARIABLE = {"OS_OSLO_MESSAGING_RABBIT__AMQP_DURABLE_QUEUES": "true"}


class Fleet:
    """The running fleet. hypervisors, guests: by host name. samples(): the samples that arrived."""

    def __init__(self, hypervisors, running):
        self.hypervisors = dict(zip(HOSTS, hypervisors, strict=True))
        lab = hypervisors[0].folder
        self._folder = folder_in(lab, "samples")
        self.rabbitmq = running.enter_context(RabbitMQ(lab))
        self.notification = running.enter_context(
            NotificationAgents(lab, self.rabbitmq.transport_url, self._publishers(), rabbit=DURABLE)
        )
        self.guests = {
            host: Guest(hypervisor, f"instance-{host}", period=None)
            for host, hypervisor in self.hypervisors.items()
        }
        for guest in self.guests.values():
            running.callback(guest.destroy)
            guest.wait_until_up()
        self.agents = {
            host: running.enter_context(
                Agent(hypervisor, host=host, interval=INTERVAL, period=1,
                      transport_url=self.rabbitmq.transport_url, environment=DURABLE_VARIABLE)
            )
            for host, hypervisor in self.hypervisors.items()
        }  # fmt: skip

    def samples(self, guest, meter="memory.usage"):
        """Return the times of the guest's samples that arrived, in order, with duplicates."""
        return sorted(
            datetime.datetime.fromisoformat(sample["timestamp"]).timestamp()
            for sample in self.all_samples()
            if (sample["resource_id"], sample["name"]) == (guest.uuid, meter)
        )

    def wait_for_more(self, guest, count):
        """Wait until ``count`` more samples of the guest have arrived."""
        wanted = len(self.samples(guest)) + count
        wait_long_for(
            lambda: len(self.samples(guest)) >= wanted, SECONDS, "samples", self._log_tails
        )

    def all_samples(self):
        """Yield all samples that arrived, in no order."""
        for file in self._folder.iterdir():
            # The last line can be incomplete.
            for line in file.read_text().rpartition("\n")[0].splitlines():
                yield json.loads(line)

    def _publishers(self):
        return [[f"file://{self._folder}/samples-{number}?json"] for number in range(2)]

    def _log_tails(self):
        return "".join(agent.log_tail() for agent in self.notification.agents)


@pytest.fixture(scope="module")
def fleet(hypervisor):
    """Two hypervisors with a guest each, and all services behind them."""
    with contextlib.ExitStack() as running:
        second = running.enter_context(Hypervisor())
        started = Fleet((hypervisor, second), running)
        for guest in started.guests.values():
            started.wait_for_more(guest, 2)
        yield started


def duplicates(times):
    return [time for time, count in collections.Counter(times).items() if count > 1]


def gaps(times):
    """Return the seconds between two samples wherever at least one is missing between them."""
    pairs = itertools.pairwise(times)
    return [round(later - sooner, 1) for sooner, later in pairs if later - sooner > LONGEST_GAP]


@pytest.mark.parametrize("host", HOSTS)
def test_every_sample_arrives_exactly_once(fleet, host, measured):
    guest = fleet.guests[host]
    fleet.wait_for_more(guest, 5)
    sizes = [len(json.dumps(sample)) for sample in fleet.all_samples()]
    measured("a sample as JSON", f"{sum(sizes) / len(sizes):.0f} bytes")
    times = fleet.samples(guest)
    assert (duplicates(times), gaps(times)) == ([], [])


def test_restart_of_a_notification_agent_loses_and_duplicates_nothing(fleet):
    guest = fleet.guests[HOSTS[0]]
    begin = fleet.samples(guest)[-1]
    for agent in fleet.notification.agents:
        agent.restart()
        fleet.wait_for_more(guest, 3)
    for guest in fleet.guests.values():
        times = [time for time in fleet.samples(guest) if time >= begin]
        assert (duplicates(times), gaps(times)) == ([], [])


def test_restart_of_the_broker_loses_and_duplicates_no_sent_sample(fleet, measured):
    guests = fleet.guests.items()
    begin = {host: fleet.samples(guest)[-1] for host, guest in guests}
    # Samples sent from now on wait in the broker.
    for agent in fleet.notification.agents:
        agent.stop()
    for agent in fleet.agents.values():
        agent.wait_for_cycles(3)
    restart = time.time()
    fleet.rabbitmq.restart()
    for agent in fleet.notification.agents:
        agent.start()
    for host, guest in guests:
        fleet.wait_for_more(guest, 10)
        times = [when for when in fleet.samples(guest) if when >= begin[host]]
        measured(f"restart of RabbitMQ, {host}", f"gaps of {gaps(times)} s")
        sent = [when for when in times if when < restart - INTERVAL]
        assert (duplicates(times), gaps(sent), len(sent) > 3) == ([], [], True)


def test_migrated_guest_has_no_duplicate_sample(fleet, measured):
    first, second = fleet.hypervisors.values()
    guest = Guest(first, "instance-migrant", period=None).wait_until_up()
    try:
        fleet.wait_for_more(guest, 2)
        begin = fleet.samples(guest)[-1]
        guest.migrate(second)
        fleet.wait_for_more(guest, 5)
        times = [time for time in fleet.samples(guest) if time >= begin]
        pairs = itertools.pairwise(times)
        closest = min(later - sooner for sooner, later in pairs)
        measured("live migration", f"closest {closest:.1f} s, gaps of {gaps(times)} s")
        assert duplicates(times) == []
        assert guest.live_period() == 1
    finally:
        guest.destroy()
