# SPDX-License-Identifier: Apache-2.0
"""The class Host, on libvirt's test driver."""

import contextlib

import libvirt
import pytest

from ceilometer_memballoon import host as libvirt_host
from ceilometer_memballoon.answers import MEMORY_GROUPS
from ceilometer_memballoon.domain_xml import Balloon, parse_balloon
from ceilometer_memballoon.errors import DomainGoneError, UnreachableError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.record import RUNNING, Hold, Outcome
from tests.libvirt.conftest import URI

TIMEOUT = 5.0


@pytest.fixture
def host(hypervisor_connection):
    # Closed, because the driver's state lasts as long as any connection to it.
    with contextlib.closing(Host(URI, TIMEOUT)) as host:
        yield host


@pytest.fixture
def listed(host):
    (record,) = host.list_domains(TIMEOUT)
    return record


def read(host, *records):
    under_way = host.start_read(list(records), MEMORY_GROUPS, TIMEOUT)
    assert under_way.wait(TIMEOUT)
    return under_way.result()


@pytest.fixture
def record(host, listed):
    (record,) = read(host, listed)
    return record


def test_listed_domain_was_not_asked(listed):
    assert (listed.outcome, listed.state) == (Outcome.NOT_ASKED, RUNNING)


def test_read_domain_was_read(record):
    assert (record.outcome, record.state) == (Outcome.READ, RUNNING)


def test_statistics_of_a_driver_without_bulk_balloon_are_those_of_memorystats(record, domain):
    assert record.stats == {**domain.memoryStats(), "maximum": domain.maxMemory()}


def test_record_names_the_domain_and_its_boot(record, domain):
    names = (record.uuid, record.id, record.name)
    assert names == (domain.UUIDString(), domain.ID(), "test")


def test_suspended_domain_has_that_state(host, domain):
    domain.suspend()
    (record,) = host.list_domains(TIMEOUT)
    domain.resume()
    assert record.state == libvirt.VIR_DOMAIN_PAUSED


def test_domain_that_is_shut_off_is_not_listed(host, domain):
    domain.destroy()
    records = host.list_domains(TIMEOUT)
    domain.create()
    assert records == []


def test_domain_that_is_shut_off_after_it_was_listed_is_not_read(host, listed, domain):
    domain.destroy()
    records = read(host, listed)
    domain.create()
    assert records == []


def test_domain_that_boots_anew_after_it_was_listed_is_read(host, listed, domain):
    domain.destroy()
    domain.create()
    (record,) = read(host, listed)
    assert (record.uuid, record.id) == (listed.uuid, domain.ID())


def test_live_xml_has_the_balloon(host, record):
    assert parse_balloon(host.live_xml(record, TIMEOUT)) == Balloon("virtio", 0)


def test_idle_domain_is_held_by_nothing(host, listed):
    monitor = host.monitors([listed], TIMEOUT)[listed.boot]
    # libvirt's test driver answers from some release on.
    assert monitor.hold in (Hold.NOTHING, Hold.UNKNOWN)


def test_driver_without_jobs_has_none(host, record):
    assert host.has_job(record, TIMEOUT) is False


def test_period_is_set_live(host, record, domain):
    with host.writer(TIMEOUT) as writer:
        writer.set_period(record, 7, TIMEOUT)
    assert parse_balloon(domain.XMLDesc(0)) == Balloon("virtio", 7)


def test_domain_that_is_shut_off_is_gone(host, record, domain):
    domain.destroy()
    with pytest.raises(DomainGoneError), host.writer(TIMEOUT) as writer:
        writer.set_period(record, 7, TIMEOUT)
    domain.create()


def test_domain_that_libvirt_does_not_know_is_gone(host, record, domain):
    domain.destroy()
    domain.undefine()
    with pytest.raises(DomainGoneError):
        host.live_xml(record, TIMEOUT)


def test_libvirt_that_cannot_be_reached_is_named_in_one_line():
    host = Host("test:///no/such/file.xml", TIMEOUT)
    with pytest.raises(UnreachableError, match=r"^test:///no/such/file\.xml: [^\n]+$"):
        host.list_domains(TIMEOUT)


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
        libvirt_host.from_conf(conf).list_domains(TIMEOUT)
    assert opened == [expected]
