# SPDX-License-Identifier: Apache-2.0
"""Ask libvirt's other drivers, one domain at a time, for what QEMU's bulk statistics have.

lxc has no bulk statistics. Those of libxl and of the test driver have no balloon fields.
"""

import contextlib
from typing import Any

from ceilometer_memballoon.binding import libvirt

Answer = tuple[libvirt.virDomain, dict[str, Any]]


def list_domains(connection: libvirt.virConnect, kind: int) -> list[Answer]:
    """All domains of that kind with their states, of a driver without bulk statistics.

    kind: answers.ACTIVE or answers.ALL.
    """
    # The flags of both calls are equal.
    domains = connection.listAllDomains(kind)
    return [(domain, _state_fields(domain)) for domain in domains]


def memory_fields(domain: libvirt.virDomain) -> dict[str, int]:
    """The balloon's fields of a domain, of a driver whose bulk statistics have none."""
    try:
        stats = {**domain.memoryStats(), "maximum": domain.maxMemory()}
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
        return {}
    if "actual" in stats:
        stats["current"] = stats.pop("actual")
    return {f"balloon.{name}": value for name, value in stats.items()}


def _state_fields(domain: libvirt.virDomain) -> dict[str, Any]:
    with contextlib.suppress(libvirt.libvirtError):
        state, reason = domain.state()
        return {"state.state": state, "state.reason": reason}
    return {}
