# SPDX-License-Identifier: Apache-2.0
"""Which of libvirt's statistics groups answer which question about a domain."""

import enum

import libvirt


class Question(enum.Enum):
    """What a pollster, or the discovery, wants to know of a domain."""

    MEMORY = enum.auto()  #: our memory meters
    DISCOVERY = enum.auto()  #: which domains can be asked for their XML
    INSTANCE = enum.auto()  #: Ceilometer's inspect_instance
    PERF = enum.auto()  #: the perf events in Ceilometer's inspect_instance
    VNICS = enum.auto()  #: Ceilometer's inspect_vnics
    DISKS = enum.auto()  #: Ceilometer's inspect_disks
    DISK_INFO = enum.auto()  #: Ceilometer's inspect_disk_info

    @property
    def groups(self) -> int:
        """The VIR_DOMAIN_STATS_* flags of the statistics that answer it."""
        return int(BASE | GROUPS[self])


#: Every read has these: a record without balloon.rss is that of a busy domain.
BASE = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BALLOON
GROUPS = {
    Question.MEMORY: 0,
    Question.DISCOVERY: 0,
    Question.INSTANCE: libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_VCPU,
    Question.PERF: libvirt.VIR_DOMAIN_STATS_PERF,
    Question.VNICS: libvirt.VIR_DOMAIN_STATS_INTERFACE,
    Question.DISKS: libvirt.VIR_DOMAIN_STATS_BLOCK,
    Question.DISK_INFO: libvirt.VIR_DOMAIN_STATS_BLOCK,
}
#: What is read of domains that are shut off. BLOCK would open their files.
STOPPED_GROUPS = BASE | libvirt.VIR_DOMAIN_STATS_VCPU
