# SPDX-License-Identifier: Apache-2.0
"""Ceilometer's own libvirt meters are the same from our reads as from its own reads.

Each test runs the installed Ceilometer's pollsters three times: with its own inspector, with
ours, and with its own again. Each volume of ours has to lie between the other two.
"""

import contextlib
import os

import libvirt
import pytest
from ceilometer.compute.pollsters import GenericComputePollster
from ceilometer.compute.virt import inspector as virt_inspector

from ceilometer_memballoon import serving
from tests.conftest import skip_or_fail
from tests.lab import devices
from tests.lab.devices import NetworkedHypervisor, cdrom, disk, interface
from tests.lab.rpc import counted
from tests.lab.stock import Stock, pollsters, triple
from tests.lab.waiting import wait_for

SECONDS = 60
MIB = 1 << 20
#: An element that Neutron's drivers write into an interface.
PORT = """
<virtualport type="openvswitch">
  <parameters interfaceid="2b7b5a3c-8f3f-4a43-9a3c-0e8d5b1a7c11"/>
</virtualport>"""


@pytest.fixture(scope="module")
def network():
    """A libvirtd with network interfaces for its guests."""
    if os.geteuid() != 0:
        skip_or_fail("only root can make network interfaces")
    with NetworkedHypervisor(4) as running:
        yield running


@pytest.fixture
def equipped(network, boot_on):
    """A guest with two disks, a CD-ROM drive without a disc, and three interfaces."""
    image = devices.make_qcow2(network, "first.qcow2", 64 * MIB)
    file = devices.make_raw(network, "second.raw", 32 * MIB, written=5000)
    user = '<interface type="user"><mac address="fa:16:3e:ff:00:00"/></interface>'
    return boot_on(
        network,
        devices=disk(image, "vda", kind="qcow2") + disk(file, "vdb") + cdrom()
        + interface(0) + interface(1) + user,
    )  # fmt: skip


def names(samples):
    return {identity[0] for identity in samples}


def resources(samples, meter):
    return sorted(identity[3] for identity in samples if identity[0] == meter)


def is_size_more(difference):
    sizes = ("capacity", "allocation", "usage")
    return difference.startswith(tuple(f"has ('disk.device.{size}'" for size in sizes))


def assert_equal(stock):
    found = triple(stock)
    assert found.ours
    assert found.differences() == []
    return found.ours


def test_every_meter_of_a_guest_with_disks_and_interfaces_is_the_same(network, equipped):
    stock = Stock(network)
    ours = assert_equal(stock)
    rates = {name for name in pollsters() if name.endswith(".rate")}
    perf = {name for name in pollsters() if name.startswith("perf.")}
    assert names(ours) == set(pollsters()) - rates - perf
    assert len(resources(ours, "disk.device.read.bytes")) == 2
    assert len(resources(ours, "network.incoming.bytes")) == 2
    # Again, from snapshots with all groups, and with deltas that have predecessors.
    assert_equal(stock)


def test_hotplugged_device_is_reported_until_it_is_removed(network, equipped):
    stock = Stock(network)
    assert_equal(stock)
    file = devices.make_raw(network, "third.raw", 16 * MIB, written=4096)
    for xml in (disk(file, "vdc"), interface(2)):
        equipped.domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    ours = assert_equal(stock)
    assert len(resources(ours, "disk.device.capacity")) == 3
    assert len(resources(ours, "network.incoming.bytes")) == 3
    for xml in (disk(file, "vdc"), interface(2)):
        equipped.domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    wait_for(lambda: "tap2" not in equipped.live_xml(), SECONDS, "the interface to go")
    wait_for(lambda: "vdc" not in equipped.live_xml(), SECONDS, "the disk to go")
    ours = assert_equal(stock)
    assert len(resources(ours, "disk.device.capacity")) == 2
    assert len(resources(ours, "network.incoming.bytes")) == 2


def test_inserted_disc_is_reported_until_it_is_ejected(network, equipped):
    stock = Stock(network)
    assert len(resources(assert_equal(stock), "disk.device.read.bytes")) == 2
    disc = devices.make_raw(network, "disc.iso", MIB, written=MIB)
    equipped.domain.updateDeviceFlags(cdrom(file=disc), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert len(resources(assert_equal(stock), "disk.device.read.bytes")) == 3
    equipped.domain.updateDeviceFlags(
        cdrom(), libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
    )
    found = triple(stock)
    # After a disc was ejected, the stock inspector fails for all disks of the guest.
    assert [one for one in found.differences() if not is_size_more(one)] == []
    assert len(resources(found.ours, "disk.device.capacity")) == 2


def test_disk_that_grows_is_reported_with_its_new_size(network, equipped):
    stock = Stock(network)
    before = assert_equal(stock)
    equipped.domain.blockResize("vdb", 48 * MIB, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
    after = assert_equal(stock)
    grown = [one for one in after if after[one] != before[one] and one[0].endswith("capacity")]
    assert [after[one] for one in grown] == [48 * MIB]


def test_guest_without_balloon_or_driver_is_the_same(network, boot_on):
    boot_on(network, "instance-1", model="none")
    boot_on(network, "instance-2", driver=False)
    assert "cpu" in names(assert_equal(Stock(network)))


def test_paused_guest_is_the_same(network, boot_on):
    guest = boot_on(network)
    stock = Stock(network)
    guest.domain.suspend()
    assert assert_equal(stock)


def test_guest_whose_numbers_are_stale_or_impossible_has_no_memory_usage(hypervisor, boot):
    guest = boot(forge=True)
    guest.forge(available=100 * MIB, usable=200 * MIB, unused=MIB)
    stock = Stock(hypervisor)

    def negative():
        found = stock.samples(stock.stock, stock.instances())
        return any(one[0] == "memory.usage" and volume < 0 for one, volume in found.items())

    wait_for(negative, SECONDS, "the stock meter to be negative")
    ours = stock.samples(stock.ours, stock.instances())
    assert "memory.usage" not in names(ours)
    assert {"cpu", "memory.resident"} <= names(ours)


def test_one_read_serves_all_meters_of_a_cycle(network, equipped):
    with counted(network) as counter:
        stock = Stock(network, uri=counter.uri)
        instances = stock.instances()
        stock.samples(stock.ours, instances)
        counter.calls.clear()
        stock.samples(stock.ours, instances)
        # A list of domains, and their statistics.
        assert counter.calls.total() == 2


def test_guest_that_cannot_be_read_raises_an_error_logged_at_debug(network, equipped):
    stock = Stock(network, timeout=2)
    (instance,) = stock.instances()
    equipped.hang()
    try:
        for method in serving.METHODS:
            with pytest.raises(virt_inspector.InstanceNotFoundException):
                list([getattr(stock.ours, method)(instance, None)][0])
    finally:
        equipped.unhang()


def test_pollster_loaded_before_ours_is_served_by_replaced_methods(hypervisor, boot):
    boot()
    stock = Stock(hypervisor, memballoon_options="serve_stock_meters = true")
    with slot(stock.stock):
        assert serving.serve(stock.conf)
        assert GenericComputePollster._inspector is stock.stock
        stock.stock._libvirt_connection = None
        (instance,) = stock.instances()
        assert stock.stock.inspect_instance(instance, None).power_state == 1
        assert stock.stock._libvirt_connection is None


def test_pollster_loaded_after_ours_works_without_libvirtd(hypervisor, boot):
    boot()
    stock = Stock(hypervisor, memballoon_options="serve_stock_meters = true")
    instances = stock.instances()
    hypervisor.stop_daemon()
    try:
        with slot(None):
            assert serving.serve(stock.conf)
            cpu = pollsters()["cpu"](stock.conf)
        assert list(cpu.get_samples(None, {}, instances)) == []
    finally:
        hypervisor.start_daemon()
    wait_for(lambda: list(cpu.get_samples(None, {}, instances)), SECONDS, "a sample")


@contextlib.contextmanager
def slot(inspector):
    """Set the inspector that Ceilometer's pollsters share, or remove it, while the context is
    active."""
    missing = object()
    before = getattr(GenericComputePollster, serving.SLOT, missing)
    if inspector is not None:
        setattr(GenericComputePollster, serving.SLOT, inspector)
    elif before is not missing:
        delattr(GenericComputePollster, serving.SLOT)
    try:
        yield
    finally:
        if before is not missing:
            setattr(GenericComputePollster, serving.SLOT, before)
        elif hasattr(GenericComputePollster, serving.SLOT):
            delattr(GenericComputePollster, serving.SLOT)
