# SPDX-License-Identifier: Apache-2.0
"""Ask libvirt drivers other than QEMU's for the same data, one domain at a time.

lxc has no bulk statistics. libxl and the test driver have bulk statistics without balloon
fields.
"""

import contextlib
from typing import Any

from ceilometer_memballoon.binding import libvirt

Answer = tuple[libvirt.virDomain, dict[str, Any]]


def list_domains(connection: libvirt.virConnect, kind: int) -> list[Answer]:
    """Return all domains of a kind with their states, for drivers without bulk statistics.

    kind: answers.ACTIVE or answers.ALL.
    """
    # Both calls have the same flags.
    domains = connection.listAllDomains(kind)
    return [(domain, _state_fields(domain)) for domain in domains]


def memory_fields(domain: libvirt.virDomain) -> dict[str, int]:
    """Return a domain's balloon fields, for drivers whose bulk statistics have none."""
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
