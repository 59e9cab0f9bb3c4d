# SPDX-License-Identifier: Apache-2.0
"""Watcher's own datasource classes read the samples that the chain keeps."""

import types

import pytest
from keystoneauth1 import noauth, session
from watcher import conf
from watcher.common import clients
from watcher.decision_engine.datasources.aetos import AetosHelper
from watcher.decision_engine.datasources.gnocchi import GnocchiHelper
from watcher.decision_engine.datasources.prometheus import PrometheusHelper
from watcher.decision_engine.model.element import InstanceState
from watcher.decision_engine.strategy.strategies.workload_balance import WorkloadBalance

from ceilometer_memballoon.reading import FRESH_SECONDS
from tests.lab.chain.aetos import headers
from tests.lab.chain.chain import HOST, INTERVAL
from tests.lab.guest import Guest
from tests.lab.waiting import wait_long_for

SECONDS = 120
#: Watcher asks for the mean of this many seconds; its own default is 300.
PERIOD = 2 * INTERVAL
FLAVOR_MIB = 192
#: As doc/source/admin/consumers.rst has it, and what the lab needs in place of Keystone.
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
def watcher(chain, tmp_path_factory):
    """Watcher's datasources by name."""
    config = tmp_path_factory.mktemp("watcher") / "watcher.conf"
    config.write_text(CONFIG.format(chain=chain))
    conf.CONF([], project="watcher", default_config_files=[str(config)])
    admin = session.Session(
        auth=noauth.NoAuth(endpoint=chain.aetos.url), additional_headers=headers("admin")
    )
    return {
        "gnocchi": GnocchiHelper(clients.OpenStackClients()),
        "prometheus": PrometheusHelper(),
        "aetos": AetosHelper(types.SimpleNamespace(session=admin)),
    }


@pytest.fixture(scope="module")
def guest(hypervisor, chain):
    running = Guest(hypervisor, "instance-watched", memory=FLAVOR_MIB).wait_until_up()
    wait_long_for(lambda: chain.agent.usage(running.uuid), SECONDS, "memory.usage")
    yield running
    running.destroy()


def instance(guest):
    """The guest as Watcher's model has it."""
    return types.SimpleNamespace(uuid=guest.uuid, memory=guest.memory, vcpus=1, disk=1)


def ram_usage(helper, guest, **arguments):
    """What Watcher asks for in its strategies, past its cache."""
    helper.metric_cache = type(helper.metric_cache)()
    return helper.get_instance_ram_usage(instance(guest), aggregate="mean", **arguments)


def test_gnocchi_source_reads_resident_memory_by_five_minutes(watcher, guest, chain):
    read = wait_long_for(
        lambda: ram_usage(watcher["gnocchi"], guest, period=300), SECONDS, "memory.resident"
    )
    kept = chain.gnocchi.measures(guest.uuid, "memory.resident", 300)
    assert read in [value for _, value in kept]
    assert read == pytest.approx(chain.agent.resident(guest.uuid), rel=0.5)


def test_gnocchi_source_reads_nothing_at_a_granularity_that_is_not_kept(watcher, guest):
    assert ram_usage(watcher["gnocchi"], guest, period=300, granularity=60) is None


@pytest.mark.parametrize("source", ["prometheus", "aetos"])
def test_prometheus_sources_read_usage(watcher, guest, chain, source):
    read = wait_long_for(
        lambda: ram_usage(watcher[source], guest, period=PERIOD), SECONDS, "memory.usage"
    )
    assert read == pytest.approx(chain.agent.usage(guest.uuid), rel=0.2)


@pytest.mark.parametrize("source", ["prometheus", "aetos"])
def test_prometheus_sources_find_the_host_by_its_label(watcher, guest, source):
    node = types.SimpleNamespace(uuid="node-1", hostname=HOST)
    assert watcher[source].get_host_ram_usage(node, period=60) > 0


def test_silent_guest_has_no_usage_but_resident_memory(watcher, guest, chain):
    guest.unload_driver()
    wait_long_for(
        lambda: ram_usage(watcher["prometheus"], guest, period=PERIOD) is None,
        FRESH_SECONDS + SECONDS,
        "silence",
    )
    assert ram_usage(watcher["gnocchi"], guest, period=300) > 0
    # What workload consolidation falls back to: all of the flavor's memory.
    allocated = watcher["prometheus"].get_instance_ram_allocated(instance(guest))
    assert allocated == FLAVOR_MIB


def test_workload_balance_fails_for_a_guest_without_a_value_as_documented(guest):
    """A Watcher in which this fails is one whose documentation here has to change."""
    one = types.SimpleNamespace(
        uuid=guest.uuid, watcher_exclude=False, state=InstanceState.ACTIVE.value
    )
    model = types.SimpleNamespace(get_node_instances=lambda node: [one])
    overloaded = [{"compute_node": types.SimpleNamespace(uuid="node-1"), "workload": 2}]
    with pytest.raises(KeyError):
        WorkloadBalance.choose_instance_to_migrate(
            types.SimpleNamespace(compute_model=model), overloaded, 1, {}
        )
