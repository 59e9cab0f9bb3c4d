# SPDX-License-Identifier: Apache-2.0
"""A question about one boot of one domain. This module sets no deadlines."""

from collections.abc import Callable
from typing import TypeVar

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.errors import DomainGoneError

T = TypeVar("T")


def ask_boot(
    connection: libvirt.virConnect,
    uuid: str,
    number: int,
    question: Callable[[libvirt.virDomain], T],
) -> T:
    """Ask about the domain if it still runs in the boot that has this libvirt id.

    Raises DomainGoneError, and what the question raises.
    """
    domain = _boot(connection, uuid, number)
    try:
        return question(domain)
    except libvirt.libvirtError:
        # A domain that ends during the question fails with an arbitrary error. So trust the error
        # only if the domain still runs.
        if connection.isAlive() == 1:
            _boot(connection, uuid, number)
        raise


def _boot(connection: libvirt.virConnect, uuid: str, number: int) -> libvirt.virDomain:
    try:
        domain = connection.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise DomainGoneError("the domain has ended") from error
        raise
    if domain.ID() != number:
        raise DomainGoneError("the domain has ended")
    return domain
