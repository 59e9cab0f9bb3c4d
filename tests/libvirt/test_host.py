# SPDX-License-Identifier: Apache-2.0
"""The host, on libvirt's test driver."""

import contextlib

import libvirt
import pytest

from ceilometer_memballoon import host as libvirt_host
from ceilometer_memballoon.domain_xml import Balloon, parse_balloon
from ceilometer_memballoon.errors import DomainGoneError, UnreachableError
from ceilometer_memballoon.host import Hold, Host
from tests.libvirt.conftest import URI

TIMEOUT = 5.0


@pytest.fixture
def host(hypervisor_connection):
    # Closed, for the driver's state lasts as long as any connection to it.
    with contextlib.closing(Host(URI, TIMEOUT)) as host:
        yield host


@pytest.fixture
def record(host):
    (record,) = host.read()
    return record


def test_statistics_of_a_driver_without_bulk_balloon_are_those_of_memorystats(record, domain):
    assert record.stats == {**domain.memoryStats(), "maximum": domain.maxMemory()}


def test_record_names_the_domain_and_its_boot(record, domain):
    names = (record.uuid, record.id, record.name)
    assert names == (domain.UUIDString(), domain.ID(), "test")


def test_running_domain_is_neither_paused_nor_busy(record):
    assert (record.paused, record.busy) == (False, False)


def test_suspended_domain_is_paused(host, domain):
    domain.suspend()
    (record,) = host.read()
    domain.resume()
    assert record.paused is True


def test_domain_that_is_shut_off_is_not_read(host, domain):
    domain.destroy()
    records = host.read()
    domain.create()
    assert records == []


def test_busy_domain_can_be_read_alone(host, record):
    assert host.read_one(record).stats == record.stats


def test_live_xml_tells_the_balloon(host, record):
    assert parse_balloon(host.live_xml(record)) == Balloon("virtio", 0)


def test_idle_domain_is_not_held(host, record):
    assert host.hold(record) is Hold.FREE


def test_driver_without_jobs_has_none(host, record):
    assert host.has_job(record) is False


def test_period_is_set_live(host, record, domain):
    with host.writer() as writer:
        writer.set_period(record, 7)
    assert parse_balloon(domain.XMLDesc(0)) == Balloon("virtio", 7)


def test_domain_that_is_shut_off_is_gone(host, record, domain):
    domain.destroy()
    with pytest.raises(DomainGoneError), host.writer() as writer:
        writer.set_period(record, 7)
    domain.create()


def test_domain_that_libvirt_does_not_know_is_gone(host, record, domain):
    domain.destroy()
    domain.undefine()
    with pytest.raises(DomainGoneError):
        host.live_xml(record)


def test_libvirt_that_cannot_be_reached_is_named_in_one_line():
    host = Host("test:///no/such/file.xml", TIMEOUT)
    with pytest.raises(UnreachableError, match=r"^test:///no/such/file\.xml: [^\n]+$"):
        host.read()


def test_nothing_is_connected_before_it_is_asked():
    assert Host("nonsense://", TIMEOUT)


@pytest.mark.parametrize(
    ("uri", "kind", "expected"),
    [
        ("", "kvm", "qemu:///system"),
        ("", "qemu", "qemu:///system"),
        ("", "lxc", "lxc:///"),
        ("test:///default", "kvm", "test:///default"),
    ],
)
def test_address_is_ceilometers(monkeypatch, conf, uri, kind, expected):
    opened = []

    def open_read_only(address):
        opened.append(address)
        raise libvirt.libvirtError("not here")

    monkeypatch.setattr(libvirt, "openReadOnly", open_read_only)
    conf.set_override("libvirt_uri", uri)
    conf.set_override("libvirt_type", kind)
    with pytest.raises(UnreachableError):
        libvirt_host.from_conf(conf).read()
    assert opened == [expected]
