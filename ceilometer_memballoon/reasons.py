# SPDX-License-Identifier: Apache-2.0
"""The reasons why a guest has no memory.usage, with their remedies and numbers."""

import enum
from collections.abc import Mapping


class Reason(enum.Enum):
    """Why a guest has no memory.usage. The values use libvirt's and Nova's words."""

    NO_BALLOON_DEVICE = "no balloon device"
    NO_GUEST_DRIVER = "no guest driver"
    STALE = "stale"
    IMPLAUSIBLE = "implausible"
    PAUSED = "paused"
    BUSY = "busy"
    NOT_RESPONDING = "not responding"
    GONE = "gone"
    BOOTING = "booting"
    NOT_ASKED = "not asked"
    CRASHED = "crashed"
    IO_ERROR = "I/O error"
    READ_ERROR = "read error"


#: The meaning of each reason, and what the operator can do.
REMEDIES = {
    Reason.NO_BALLOON_DEVICE: "The domain has no virtio balloon, so its guest cannot report. "
    "Nova 32 and later add no balloon when [libvirt] mem_stats_period_seconds is zero or "
    "below. Set the option on the compute node, then hard-reboot the instance.",
    Reason.NO_GUEST_DRIVER: "The guest has a balloon but sends no numbers. Linux: load "
    "virtio_balloon. Windows: install and start the balloon service (blnsvr.exe, in "
    "virtio-win), because the driver alone sends none. FreeBSD, OPNsense, pfSense and other "
    "BSDs: their balloon driver has no statistics. Use memory.resident.",
    Reason.STALE: "The guest reported before, but not recently. Its balloon driver or (in "
    "Windows) its balloon service stopped, it crashed, or its statistics period is off and "
    "cannot be set. If many guests have this reason, search the agent's log for a warning "
    "about read-write access.",
    Reason.IMPLAUSIBLE: "The guest's numbers contradict each other, do not fit its memory or "
    "are incomplete. The guest sends them, so update its balloon driver. A guest that writes "
    "a crash dump or does not use its plugged memory also has this reason.",
    Reason.PAUSED: "The guest is paused or suspended. It reports again when it is resumed.",
    Reason.BUSY: "Another libvirt job holds the domain, so it could not be read in this "
    "cycle. The next cycle reads it again.",
    Reason.NOT_RESPONDING: "QEMU does not answer libvirt, because of hung storage, a stopped "
    "process or a debugger. Check the QEMU process. The guest is reported again when QEMU "
    "answers.",
    Reason.GONE: "The instance has no running domain on this host. It is shut off, deleted "
    "or has migrated.",
    Reason.BOOTING: "The guest started recently and has not reported yet. Wait until its "
    "balloon driver is loaded.",
    Reason.NOT_ASKED: "This cycle ended before the guest was read, because libvirt is slow or "
    "too many QEMU processes hang. The agent reads the guest as soon as that is safe.",
    Reason.CRASHED: "The guest crashed, and libvirt keeps its domain. Reset or hard-reboot the "
    "instance.",
    Reason.IO_ERROR: "QEMU paused the guest because its storage failed. Repair the storage, "
    "then resume the guest with 'virsh resume'.",
    Reason.READ_ERROR: "libvirt reported an error for this domain. The agent's log has the error.",
}

#: The value of memory.stats.state for each verdict; None is ok. Alarms, dashboards and stored
#: samples contain these numbers, so a number never changes its reason.
STATES: Mapping[Reason | None, int] = {
    None: 0,
    Reason.NO_BALLOON_DEVICE: 1,
    Reason.NO_GUEST_DRIVER: 2,
    Reason.STALE: 3,
    Reason.IMPLAUSIBLE: 4,
    Reason.PAUSED: 5,
    Reason.BUSY: 6,
    Reason.NOT_RESPONDING: 7,
    Reason.GONE: 8,
    Reason.BOOTING: 9,
    Reason.NOT_ASKED: 10,
    Reason.CRASHED: 11,
    Reason.IO_ERROR: 12,
    Reason.READ_ERROR: 13,
}
