# SPDX-License-Identifier: Apache-2.0
"""Projects read their own part of Prometheus, through Aetos and in Aodh's alarms."""

import pytest

from tests.lab.guest import Guest
from tests.lab.waiting import wait_long_for

SECONDS = 120
OTHER_PROJECT = "f" * 32
#: One of each kind of series that a project may read.
OF_PROJECT = (
    "ceilometer_memory_util",
    "guest:memory_usage:mib",
    'guest:memory_headroom:mib{resource=~".+"}',
    "project:memory_usage:mib",
    "count by (project) (guest:memory_stats_state:code == 0)",
    "sum(guest:memory_usage:mib / on (project, resource) guest:memory_available:mib)",
)
#: Sums over all projects have no project.
OF_HOST = ("host:memory_demand:ratio", "host:guests:count")


@pytest.fixture(scope="module")
def measured_guest(chain, hypervisor):
    """A guest of PROJECT whose series Prometheus has recorded."""
    guest = Guest(hypervisor, "instance-owned").wait_until_up()
    wait_long_for(
        lambda: (
            chain.prometheus.query("host:memory_demand:ratio")
            and chain.prometheus.query(f'guest:memory_headroom:mib{{resource="{guest.uuid}"}}')
        ),
        SECONDS,
        "recorded series",
    )
    yield guest
    guest.destroy()


@pytest.mark.parametrize("query", OF_PROJECT)
def test_aetos_shows_recorded_series_to_their_project_only(chain, measured_guest, query):
    wait_long_for(lambda: chain.aetos.query(query), SECONDS, query)
    assert chain.aetos.query(query, project=OTHER_PROJECT) == []


@pytest.mark.parametrize("query", OF_HOST)
def test_aetos_shows_sums_over_projects_to_administrators_only(chain, measured_guest, query):
    wait_long_for(lambda: chain.aetos.query(query, roles="admin"), SECONDS, query)
    assert chain.aetos.query(query) == []


def test_aodh_decides_on_recorded_series_for_their_project_only(chain, measured_guest):
    own = f'guest:memory_util:ratio{{resource="{measured_guest.uuid}"}}'
    queries = {"own": own, "project's": "project:memory_usage:mib", "host's": "host:guests:count"}
    made = {
        name: chain.aodh.create_prometheus(query, 10**9, chain.webhook.url)
        for name, query in queries.items()
    }
    foreign = chain.aodh.create_prometheus(own, 10**9, chain.webhook.url, OTHER_PROJECT)

    def all_evaluated():
        states, empty = chain.aodh.states(), chain.aodh.empty_queries()
        return (
            [states[made["own"]], states[made["project's"]]] == ["ok", "ok"]
            and any(query.startswith("host:guests:count{project=") for query in empty)
            and any(OTHER_PROJECT in query for query in empty)
        )

    wait_long_for(all_evaluated, SECONDS, "all alarms evaluated", lambda: str(chain.aodh.states()))
    # They stay at "insufficient data", so the webhook is not called.
    assert chain.webhook.states(made["host's"]) == []
    assert chain.webhook.states(foreign) == []
