# SPDX-License-Identifier: Apache-2.0
"""The plugin's discovery and Ceilometer's own, on real guests."""

import contextlib

import libvirt
import pytest

from ceilometer_memballoon import xml_cache
from ceilometer_memballoon.discovery import LOG
from tests.lab.rpc import counted
from tests.lab.stock import Stock, attributes

NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"
#: Metadata of Nova 2023.1 and older. They have no flavor id, extra specs or image properties.
OLD_METADATA = """
<nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.0">
  <nova:name>old &amp; &lt;odd&gt; \u00fc</nova:name>
  <nova:flavor name="small"><nova:memory>96</nova:memory><nova:vcpus>1</nova:vcpus></nova:flavor>
  <nova:owner>
    <nova:user uuid="user-1">one</nova:user><nova:project uuid="project-1">one</nova:project>
  </nova:owner>
  <nova:root type="image" uuid="11111111-2222-3333-4444-555555555555"/>
</nova:instance>"""
#: Metadata that are Nova's and too incomplete for Ceilometer.
BROKEN_METADATA = (
    f'<nova:instance xmlns:nova="{NOVA}"><nova:name>broken</nova:name></nova:instance>'
)
#: Metadata for which Ceilometer's own code raises, so that its discovery loses all instances.
NO_UUID = OLD_METADATA.replace('uuid="user-1"', "")
OTHER = '<app:settings xmlns:app="http://example.org/app"><app:name>x</app:name></app:settings>'


def found(discovery):
    return {one.id: attributes(one) for one in discovery.discover(None)}


def assert_same(stock):
    ours = found(stock.our_discovery)
    assert ours == found(stock.discovery)
    return ours


@pytest.fixture
def stock(hypervisor):
    return Stock(hypervisor, timeout=2)


def test_instances_have_the_attributes_of_ceilometers_own(boot, stock):
    boot("instance-1", display_name="<& a name \u00e9>")
    boot("instance-2", metadata=OLD_METADATA + OTHER, wait=False)
    boot("instance-3", metadata=OTHER, wait=False)
    boot("instance-4", paused=True)
    assert len(assert_same(stock)) == 3


def test_domain_that_is_shut_off_is_listed_as_ceilometer_lists_it(boot, hypervisor, stock):
    guest = boot(wait=False)
    running = assert_same(stock)
    with defined(hypervisor, guest):
        guest.destroy()
        stopped = assert_same(stock)
        assert [one["status"] for one in stopped.values()] == ["stopped"]
        assert [one["status"] for one in running.values()] == ["active"]


def test_meters_of_a_domain_that_is_shut_off_are_the_same(boot, hypervisor, stock):
    if "report_stopped_instance_metrics" not in stock.conf.compute:
        pytest.skip("this release of Ceilometer reports no stopped instances")
    stock.conf.set_override("report_stopped_instance_metrics", True, "compute")
    guest = boot(wait=False)
    with defined(hypervisor, guest):
        guest.destroy()
        instances = stock.instances()
        ours = stock.samples(stock.ours, instances)
        assert ours == stock.samples(stock.stock, instances)
        assert {"power.state", "vcpus", "memory"} <= {one[0] for one in ours}


def test_state_follows_the_domain(boot, stock):
    guest = boot(wait=False)
    guest.domain.suspend()
    assert [one["status"] for one in assert_same(stock).values()] == ["paused"]
    guest.domain.resume()
    assert [one["status"] for one in assert_same(stock).values()] == ["active"]


def test_cycle_takes_one_call(boot, hypervisor):
    for number in range(3):
        boot(f"instance-{number}", wait=False)
    with counted(hypervisor) as counter:
        stock = Stock(hypervisor, uri=counter.uri)
        first = found(stock.our_discovery)
        counter.calls.clear()
        assert found(stock.our_discovery) == first
        assert counter.calls.total() == 1


def test_metadata_that_nova_rewrites_is_read_again(boot, stock, monkeypatch):
    guest = boot(wait=False)
    before = assert_same(stock)[guest.uuid]["name"]
    guest.domain.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT,
        stock_metadata(guest).replace(before, "renamed"),
        "nova", NOVA, libvirt.VIR_DOMAIN_AFFECT_LIVE,
    )  # fmt: skip
    assert found(stock.our_discovery)[guest.uuid]["name"] == before
    monkeypatch.setattr(xml_cache, "REFRESH_SECONDS", 0.0)
    assert assert_same(stock)[guest.uuid]["name"] == "renamed"


@pytest.mark.parametrize("metadata", [BROKEN_METADATA, NO_UUID])
def test_domain_with_broken_metadata_costs_only_itself(boot, stock, metadata):
    whole = boot("instance-1", wait=False)
    boot("instance-2", metadata=metadata, wait=False)
    assert set(found(stock.our_discovery)) == {whole.uuid}


def test_domain_that_is_not_novas_is_skipped_at_debug(boot, stock, caplog):
    guest = boot(metadata=OTHER, wait=False)
    caplog.set_level("DEBUG", logger=LOG.logger.name)
    assert found(stock.our_discovery) == {}
    assert {record.levelname for record in caplog.records if guest.uuid in record.message} == {
        "DEBUG"
    }


def test_hung_guest_keeps_its_attributes_and_is_not_asked(boot_many, stock):
    hung, other = boot_many(2)
    before = found(stock.our_discovery)
    hung.hang()
    try:
        assert found(stock.our_discovery) == before
    finally:
        hung.unhang()
    assert set(before) == {hung.uuid, other.uuid}


def test_last_list_stays_when_libvirt_is_gone(boot, stock, hypervisor):
    boot(wait=False)
    before = found(stock.our_discovery)
    hypervisor.stop_daemon()
    try:
        assert found(stock.our_discovery) == before
    finally:
        hypervisor.start_daemon()
    assert assert_same(stock) == before


@contextlib.contextmanager
def defined(hypervisor, guest):
    """Keep the guest's domain defined when it is shut off, as Nova does."""
    domain = hypervisor.connection.defineXML(guest.live_xml())
    try:
        yield domain
    finally:
        guest.destroy()
        hypervisor.connection.lookupByUUIDString(guest.uuid).undefine()


def stock_metadata(guest):
    return guest.domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NOVA)
