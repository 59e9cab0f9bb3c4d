# SPDX-License-Identifier: Apache-2.0
"""Watcher's own datasource classes read the samples that Gnocchi and Prometheus store."""

import pytest

from ceilometer_memballoon.reading import FRESH_SECONDS
from tests.lab.chain.answering import answering
from tests.lab.chain.chain import HOST, INTERVAL
from tests.lab.guest import Guest
from tests.lab.waiting import wait_long_for

SECONDS = 180
#: Watcher asks for the mean over this many seconds. Its own default is 300.
PERIOD = 2 * INTERVAL
MEMORY = 192
#: The configuration of doc/source/admin/consumers.rst, and what the lab needs without Keystone.
CONFIG = """
[aetos_client]
fqdn_label = host
[prometheus_client]
fqdn_label = host
host = 127.0.0.1
port = {chain.prometheus.port}
[watcher_clients_auth]
auth_type = gnocchi-basic
user = admin
endpoint = {chain.gnocchi.url}
[watcher_datasources]
query_max_retries = 1
"""


@pytest.fixture(scope="module")
def guest(hypervisor, chain):
    running = Guest(hypervisor, "instance-watched", memory=MEMORY).wait_until_up()
    wait_long_for(lambda: chain.agent.usage(running.uuid), SECONDS, "memory.usage")
    yield running
    running.destroy()


@pytest.fixture(scope="module")
def ask(chain, tmp_path_factory):
    """Call a method of one of Watcher's datasources for a resource."""
    folder = tmp_path_factory.mktemp("watcher")
    (folder / "watcher.conf").write_text(CONFIG.format(chain=chain))

    words = (str(folder / "watcher.conf"), chain.aetos.url)
    with answering(folder, "tests.lab.chain.watcher", *words) as watcher:
        yield lambda source, method, resource, **arguments: watcher(
            {"source": source, "ask": method, "resource": resource, "arguments": arguments}
        )


def instance(guest):
    """Return the guest as an instance of Watcher's model."""
    return {"uuid": guest.uuid, "memory": MEMORY, "vcpus": 1, "disk": 1}


def test_gnocchi_source_reads_resident_memory_at_five_minutes(ask, guest, chain):
    read = wait_long_for(
        lambda: ask("gnocchi", "get_instance_ram_usage", instance(guest), period=300,
                    aggregate="mean"),
        SECONDS, "memory.resident",
    )  # fmt: skip
    assert read == pytest.approx(chain.agent.resident(guest.uuid), rel=0.5)


def test_gnocchi_source_reads_nothing_at_a_granularity_that_is_not_kept(ask, guest):
    arguments = {"period": 300, "aggregate": "mean", "granularity": 60}
    assert ask("gnocchi", "get_instance_ram_usage", instance(guest), **arguments) is None


@pytest.mark.parametrize("source", ["prometheus", "aetos"])
def test_prometheus_sources_read_usage(ask, guest, chain, source):
    read = wait_long_for(
        lambda: ask(source, "get_instance_ram_usage", instance(guest), period=PERIOD),
        SECONDS, "memory.usage",
    )  # fmt: skip
    assert read == pytest.approx(chain.agent.usage(guest.uuid), rel=0.2)


@pytest.mark.parametrize("source", ["prometheus", "aetos"])
def test_prometheus_sources_find_the_host_by_its_label(ask, guest, source):
    node = {"uuid": "node-1", "hostname": HOST}
    assert ask(source, "get_host_ram_usage", node, period=60) > 0


def test_silent_guest_has_no_usage_but_resident_memory(ask, silent_guest):
    guest = silent_guest
    wait_long_for(
        lambda: ask("prometheus", "get_instance_ram_usage", instance(guest), period=PERIOD)
        is None,
        FRESH_SECONDS + SECONDS, "silence",
    )  # fmt: skip
    arguments = {"period": 300, "aggregate": "mean"}
    assert ask("gnocchi", "get_instance_ram_usage", instance(guest), **arguments) > 0
    # Workload consolidation uses all of the flavor's memory instead.
    assert ask("prometheus", "get_instance_ram_allocated", instance(guest)) == MEMORY


def test_workload_balance_fails_for_a_guest_without_a_value_as_documented(ask, guest):
    """If this fails, Watcher has changed and the documentation has to change."""
    assert ask("workload_balance", "", instance(guest)) == "KeyError"
