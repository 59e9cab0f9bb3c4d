# SPDX-License-Identifier: Apache-2.0
"""The pollsters as Ceilometer loads and calls them, on libvirt's test driver."""

import contextlib
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from ceilometer import service
from ceilometer.compute.pollsters import instance_stats
from ceilometer.polling.manager import AgentManager
from stevedore import extension

from ceilometer_memballoon import collector_factory, opts, pollsters
from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.history import History
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.meters import COMING, METERS
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.polling_file import stock_pollsters
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.reader import Reader
from tests.libvirt.conftest import NO_POLLING_FILE, URI

#: The time of the test driver's statistics, in seconds since the epoch.
LAST_UPDATE = 627319920
UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"

INSTANCE = SimpleNamespace(
    id=UUID,
    name="display name",
    user_id="user",
    tenant_id="project",
    hostId="hash",
    status="ACTIVE",
    image=None,
    metadata={},
    flavor={"id": "1", "name": "small", "vcpus": 1, "ram": 8192, "disk": 0, "ephemeral": 0},
    **{"OS-EXT-SRV-ATTR:instance_name": "test"},
)

#: Lines of a ceilometer.conf that name no polling.yaml of this machine.
NO_POLLING = f"[polling]\ncfg_file = {NO_POLLING_FILE}\n"

#: The part of an agent's manager that pollsters read.
MANAGER = SimpleNamespace(extensions=[], polling_manager=SimpleNamespace(sources=[]))


def samples(pollster, cache=None, resources=(INSTANCE,)):
    cache = {} if cache is None else cache
    return pollster.get_samples(manager=MANAGER, cache=cache, resources=list(resources))


@pytest.fixture
def at_last_update(monkeypatch):
    """Stop the clock at a time when the test driver's statistics are fresh."""
    with contextlib.closing(Host(URI, 5.0)) as host:
        processes = QemuProcesses()
        periods = PeriodKeeper(host, PeriodRule(10))
        then = Collector(
            Reader(host, 5.0, 4, processes),
            periods,
            Judge(periods, History(0, processes), lambda: LAST_UPDATE + 1.0),
            5.0,
        )
        monkeypatch.setattr(collector_factory, "shared", lambda conf: then)
        yield


@pytest.fixture
def loaded(conf, tmp_path):
    """Return the plugin's pollsters that the agent loads for a polling.yaml with these meters."""

    def load(*meters):
        source = {"name": "all", "interval": 60, "meters": list(meters)}
        (tmp_path / "polling.yaml").write_text(yaml.safe_dump({"sources": [source]}))
        conf.set_override("cfg_file", str(tmp_path / "polling.yaml"), group="polling")
        conf.set_override("enable_notifications", False, group="polling")
        agent = AgentManager(0, conf, ["compute"])
        return {one.name for one in agent.extensions} & METERS.keys()

    return load


@pytest.mark.parametrize("meters", [["*"], ["memory.*"], ["m*"], ["!cpu"], ["cpu"], ["*", "!cpu"]])
def test_line_for_stock_meters_loads_no_pollster_of_the_plugin(loaded, meters):
    assert loaded(*meters) == set()


@pytest.mark.parametrize(
    ("meters", "names"),
    [
        (["memory_usage"], {"memory_usage"}),
        (["memory_swap_*"], {"memory_swap_in", "memory_swap_out"}),
        (["cpu", "memory.usage", "memory_resident"], {"memory_resident"}),
    ],
)
def test_line_with_an_underscore_selects_the_plugins_pollsters(loaded, meters, names):
    assert loaded(*meters) == names


def test_no_stock_pollster_name_has_an_underscore():
    assert not [name for name in stock_pollsters() if name.startswith("memory_")]


@pytest.fixture
def usage(conf, hypervisor_connection):
    return pollsters.memory_usage(conf)


@pytest.fixture
def resident(conf, hypervisor_connection):
    return pollsters.memory_resident(conf)


def test_stevedore_finds_a_pollster_of_each_meter_under_its_name(conf):
    found = {
        point.name: point.plugin(conf).meter
        for point in extension.ExtensionManager("ceilometer.poll.compute")
        if point.entry_point.module.startswith("ceilometer_memballoon")
    }
    assert found == METERS


def test_module_has_no_other_pollsters():
    with pytest.raises(AttributeError, match="memory_nonsense"):
        pollsters.memory_nonsense  # noqa: B018


def stock_meters():
    """Type and unit of the installed Ceilometer's own pollsters, by sample name."""
    return {
        pollster.sample_name: (pollster.sample_type, pollster.sample_unit)
        for pollster in vars(instance_stats).values()
        if isinstance(pollster, type)
        and issubclass(pollster, instance_stats.InstanceStatsPollster)
        and pollster is not instance_stats.InstanceStatsPollster
    }


def test_meters_that_ceilometer_has_too_are_of_its_type_and_unit():
    ours = {meter.name: (meter.type, meter.unit) for meter in METERS.values()}
    stock = {name: kind for name, kind in stock_meters().items() if name in ours}
    assert {name: ours[name] for name in stock} == stock


def test_only_these_meters_have_a_stock_meters_name():
    shared = {meter.name for meter in METERS.values()} & set(stock_meters())
    # Ceilometer 24 does not have memory.available.
    assert shared | {"memory.available"} == {
        "memory.usage", "memory.resident", "memory.available", "memory.swap.in", "memory.swap.out",
    }  # fmt: skip


#: Meters that libvirt's test driver does not fill. Its counters are 0, and usable repeats unused.
NOT_FILLED = {
    "memory_swap_in", "memory_swap_out", "memory_fault_major", "memory_fault_minor",
    "memory_usable", "memory_util", *(meter.pollster for meter in COMING),
}  # fmt: skip


def test_every_meter_whose_statistic_is_filled_has_a_sample(conf, at_last_update):
    made = {name: getattr(pollsters, name)(conf) for name in METERS}
    found = {name: [s.name for s in samples(pollster)] for name, pollster in made.items()}
    assert found == {
        name: [] if name in NOT_FILLED else [meter.name] for name, meter in METERS.items()
    }


def test_instances_are_discovered_by_the_plugin_where_libvirt_is_asked(usage):
    assert usage.default_discovery == "memballoon_instances"


@pytest.mark.parametrize("method", ["naive", "workload_partitioning"])
def test_instances_are_discovered_by_ceilometer_where_nova_is_asked(conf, usage, method):
    conf.set_override("instance_discovery_method", method, "compute")
    try:
        assert usage.default_discovery == "local_instances"
    finally:
        conf.clear_override("instance_discovery_method", "compute")


def test_usage_is_a_gauge_in_the_unit_of_the_installed_ceilometer(at_last_update, usage):
    (sample,) = samples(usage)
    unit = instance_stats.MemoryUsagePollster.sample_unit
    found = (sample.name, sample.type, sample.unit, sample.volume)
    # The test driver reports available 2097152 KiB and usable 1048576 KiB.
    assert found == ("memory.usage", "gauge", unit, 1024.0)


def test_resident_is_a_gauge_in_the_unit_of_the_installed_ceilometer(resident):
    (sample,) = samples(resident)
    unit = instance_stats.MemoryResidentPollster.sample_unit
    found = (sample.name, sample.type, sample.unit, sample.volume)
    assert found == ("memory.resident", "gauge", unit, 1024.0)


def test_sample_carries_what_the_stock_one_does(resident):
    (sample,) = samples(resident)
    found = (sample.resource_id, sample.project_id, sample.user_id)
    assert found == (UUID, "project", "user")
    assert sample.resource_metadata["display_name"] == "display name"


def test_statistics_of_1989_give_no_usage_today(usage):
    assert samples(usage) == []


def test_instance_that_is_not_on_the_host_is_skipped(resident):
    elsewhere = SimpleNamespace(id="00000000-0000-0000-0000-000000000000")
    assert [s.resource_id for s in samples(resident, resources=[elsewhere, INSTANCE])] == [UUID]


def test_instance_whose_sample_fails_is_skipped(resident):
    broken = SimpleNamespace(id=UUID)
    assert [s.resource_id for s in samples(resident, resources=[broken, INSTANCE])] == [UUID]


def test_failed_sample_of_an_instance_is_warned_of_once(resident, caplog):
    broken = SimpleNamespace(id=UUID)
    for _ in range(2):
        samples(resident, resources=[broken])
    warnings = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1


def test_no_libvirt_means_no_samples_and_no_exception(conf):
    conf.set_override("libvirt_uri", "test:///no/such/file.xml")
    assert samples(pollsters.memory_usage(conf)) == []


def test_no_exception_leaves_get_samples(monkeypatch, resident, caplog):
    def fail(conf):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(collector_factory, "shared", fail)
    assert (samples(resident), samples(resident)) == ([], [])
    assert caplog.messages == ["No samples of memory.resident: ZeroDivisionError('a bug')"]


def test_invalid_option_is_logged_and_does_not_stop_the_agent(tmp_path, capfd):
    config = tmp_path / "ceilometer.conf"
    config.write_text(f"{NO_POLLING}[libvirt]\nmem_stats_period_seconds = soon\n")
    conf = service.prepare_service(["test"], config_files=[str(config)])
    assert samples(pollsters.memory_usage(conf)) == []
    # Ceilometer has set up its own logging by this time.
    assert "ERROR ceilometer_memballoon" in capfd.readouterr().out


def test_pollsters_with_one_configuration_share_one_collector(conf):
    pollsters.memory_usage(conf)
    assert collector_factory.shared(conf) is collector_factory.shared(conf)


def test_domain_that_is_not_novas_keeps_its_period(usage, domain):
    samples(usage)
    assert "<stats period" not in domain.XMLDesc(0)


def test_no_period_is_set_when_the_option_forbids_it(conf, nova_domain):
    opts.register(conf)
    conf.set_override("set_periods", False, group="memballoon")
    samples(pollsters.memory_usage(conf))
    assert "<stats period" not in nova_domain.XMLDesc(0)


def test_period_is_set_on_the_domain(usage, nova_domain):
    domain = nova_domain
    samples(usage)
    assert "<stats period='10'/>" in domain.XMLDesc(0)


@pytest.mark.parametrize("period", [0, -1])
def test_option_at_zero_or_below_changes_no_domain(conf, nova_domain, period):
    domain = nova_domain
    domain.setMemoryStatsPeriod(0)
    conf.set_override("mem_stats_period_seconds", period, group="libvirt")
    samples(pollsters.memory_usage(conf))
    assert "<stats period" not in domain.XMLDesc(0)


def test_option_has_novas_default(conf):
    pollsters.memory_usage(conf)
    assert conf.libvirt.mem_stats_period_seconds == 10


def test_option_is_read_from_a_nova_conf_given_as_a_further_file(tmp_path):
    own, nova = tmp_path / "ceilometer.conf", tmp_path / "nova.conf"
    own.write_text(f"[DEFAULT]\nlibvirt_uri = {URI}\n{NO_POLLING}")
    nova.write_text("[libvirt]\nmem_stats_period_seconds = 37\nvirt_type = kvm\n")
    conf = service.prepare_service(["test"], config_files=[str(own), str(nova)])
    pollsters.memory_usage(conf)
    assert conf.libvirt.mem_stats_period_seconds == 37


def test_options_are_listed_by_the_config_generator():
    command = ["-m", "oslo_config.generator", "--namespace", "ceilometer_memballoon"]
    done = subprocess.run(
        [sys.executable, *command, "--format", "json"],
        capture_output=True, check=True, text=True, timeout=60,
    )  # fmt: skip
    options = json.loads(done.stdout)["options"]
    listed = {group: [o["name"] for o in options[group]["opts"]] for group in options}
    assert listed.get("libvirt") == ["mem_stats_period_seconds"]
