# SPDX-License-Identifier: Apache-2.0
"""Single questions to libvirt, and its answers as records. This module sets no deadlines."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from ceilometer_memballoon import other_drivers
from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.record import Boot, Hold, Monitor, Outcome, Record

NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
#: Kinds of domains to list: active ones, or also those that are shut off.
ACTIVE = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
ALL = 0
#: The statistics that the memory meters need.
MEMORY_GROUPS = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BALLOON
#: The balloon fields in a record of QEMU's driver while another job holds the domain.
BUSY_FIELDS = {"balloon.current", "balloon.maximum"}

#: The namespace of Nova's metadata in a domain's XML (nova/virt/libvirt/config.py).
NOVA_NAMESPACE = "http://openstack.org/xmlns/libvirt/nova/1.1"

#: The meaning of controlInfo's states (qemuDomainGetControlInfo in libvirt's qemu_driver.c).
HOLDS = {
    libvirt.VIR_DOMAIN_CONTROL_OK: Hold.NOTHING,
    libvirt.VIR_DOMAIN_CONTROL_JOB: Hold.JOB,
    libvirt.VIR_DOMAIN_CONTROL_OCCUPIED: Hold.MONITOR,
}
MONITOR_BROKEN = (
    libvirt.VIR_DOMAIN_CONTROL_ERROR,
    libvirt.VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR,
)


def list_domains(
    connection: libvirt.virConnect, kind: int = ACTIVE
) -> list[tuple[Record, libvirt.virDomain]]:
    """Return all domains of a kind, ACTIVE or ALL, with their states.

    Takes no job and asks no QEMU process.
    """
    try:
        answers = connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, kind | NOWAIT)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
        answers = other_drivers.list_domains(connection, kind)
    return [(_record(domain, fields, Outcome.NOT_ASKED), domain) for domain, fields in answers]


def read(
    connection: libvirt.virConnect, domains: list[libvirt.virDomain], groups: int
) -> list[Record]:
    """Read the statistics of those domains that still run.

    groups: VIR_DOMAIN_STATS_* flags.
    """
    # For libvirt an empty list means all domains.
    if not domains:
        return []
    try:
        answers = connection.domainListGetStats(domains, groups, NOWAIT)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
        wanted = {domain.UUIDString() for domain in domains}
        listed = other_drivers.list_domains(connection, ACTIVE)
        answers = [(domain, fields) for domain, fields in listed if domain.UUIDString() in wanted]
    # A domain that has ended has no id.
    return [_read_record(domain, fields, groups) for domain, fields in answers if domain.ID() >= 0]


def read_stopped(connection: libvirt.virConnect, groups: int) -> list[Record]:
    """Read the statistics of all domains that are shut off. Opens no image file.

    groups: VIR_DOMAIN_STATS_* flags without BLOCK.
    """
    kind = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE
    answers = connection.getAllDomainStats(groups, kind | NOWAIT)
    return [_record(domain, fields, Outcome.READ) for domain, fields in answers]


def monitors(
    domains: Iterable[tuple[Boot, libvirt.virDomain]],
) -> Iterator[tuple[Boot, Monitor]]:
    """Yield what holds each domain, in the order of the domains."""
    for boot, domain in domains:
        try:
            state, details, milliseconds = domain.controlInfo()
        except libvirt.libvirtError:
            yield boot, Monitor(Hold.UNKNOWN, 0)
            continue
        broken = (state, details) == MONITOR_BROKEN
        # Between two monitor commands of a job the state is an 'internal' error.
        hold = Hold.BROKEN if broken else HOLDS.get(state, Hold.JOB)
        yield boot, Monitor(hold, milliseconds / 1000)


def nova_metadata(
    domains: Iterable[tuple[Boot, libvirt.virDomain]],
) -> Iterator[tuple[Boot, str]]:
    """Yield Nova's metadata of each domain that has them, as XML, in the order of the domains."""
    for boot, domain in domains:
        with contextlib.suppress(libvirt.libvirtError):
            kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
            yield boot, domain.metadata(kind, NOVA_NAMESPACE, 0)


def has_job(domain: libvirt.virDomain) -> bool:
    """Return whether a long job is running."""
    try:
        return bool(domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return False
        # libvirt refuses the question at a migration's destination.
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            return True
        raise


def _read_record(domain: libvirt.virDomain, fields: dict[str, Any], groups: int) -> Record:
    balloon = {name for name in fields if name.startswith("balloon.")}
    if groups & libvirt.VIR_DOMAIN_STATS_BALLOON:
        if balloon and balloon <= BUSY_FIELDS:
            return _record(domain, fields, Outcome.BUSY)
        if not balloon:
            fields = fields | other_drivers.memory_fields(domain)
    return _record(domain, fields, Outcome.READ)


def _record(domain: libvirt.virDomain, fields: dict[str, Any], outcome: Outcome) -> Record:
    return Record(
        uuid=domain.UUIDString(),
        id=domain.ID(),
        name=domain.name(),
        state=fields.get("state.state", libvirt.VIR_DOMAIN_RUNNING),
        state_reason=fields.get("state.reason", 0),
        outcome=outcome,
        fields=fields,
    )
