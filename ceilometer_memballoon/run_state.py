# SPDX-License-Identifier: Apache-2.0
"""Translate libvirt's state of a domain into the state of its guest. Pure."""

import enum


class RunState(enum.Enum):
    """Whether a domain's processors run, and if not, why."""

    RUNNING = enum.auto()
    PAUSED = enum.auto()  #: paused or suspended on purpose; it can resume
    IO_ERROR = enum.auto()  #: paused by QEMU because its storage failed
    CRASHED = enum.auto()  #: crashed; it cannot resume


#: The used values of libvirt's virDomainState and virDomainPausedReason. A test compares them with
#: libvirt's.
VIR_DOMAIN_PAUSED = 3
VIR_DOMAIN_CRASHED = 6
VIR_DOMAIN_PMSUSPENDED = 7
VIR_DOMAIN_PAUSED_IOERROR = 5
VIR_DOMAIN_PAUSED_CRASHED = 10

#: The causes of a pause that was not on purpose.
PAUSED_REASONS = {
    VIR_DOMAIN_PAUSED_IOERROR: RunState.IO_ERROR,
    VIR_DOMAIN_PAUSED_CRASHED: RunState.CRASHED,
}


def run_state(state: int, reason: int) -> RunState:
    """Return the state for a virDomainState and its reason. Accepts any numbers.

    An unknown state, such as one of a later libvirt, is RUNNING.
    """
    if state == VIR_DOMAIN_CRASHED:
        return RunState.CRASHED
    if state == VIR_DOMAIN_PAUSED:
        return PAUSED_REASONS.get(reason, RunState.PAUSED)
    return RunState.PAUSED if state == VIR_DOMAIN_PMSUSPENDED else RunState.RUNNING
