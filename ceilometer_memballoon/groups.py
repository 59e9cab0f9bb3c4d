# SPDX-License-Identifier: Apache-2.0
"""The groups of libvirt's statistics that answer each question about a domain."""

import enum

from ceilometer_memballoon.binding import libvirt


class Question(enum.Enum):
    """A question of a pollster or of the discovery about a domain."""

    MEMORY = enum.auto()  #: the plugin's memory meters
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


#: Groups of every read. A record without balloon.rss means that the domain is busy.
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
#: Groups that are read of domains that are shut off. BLOCK would open their files.
STOPPED_GROUPS = BASE | libvirt.VIR_DOMAIN_STATS_VCPU
