# SPDX-License-Identifier: Apache-2.0
"""Read many domains in two calls at the same time, because QEMU takes longer than libvirtd."""

import contextlib
import threading
from collections.abc import Sequence
from typing import TypeVar

from ceilometer_memballoon import answers
from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.call import Call
from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.pace import MOST_IN_CALL
from ceilometer_memballoon.record import Record

T = TypeVar("T")


def parts(domains: Sequence[T]) -> list[Sequence[T]]:
    """Return the domains of each call, in the order in which libvirt asks them."""
    if len(domains) <= MOST_IN_CALL:
        return [domains]
    half = (len(domains) + 1) // 2
    return [domains[:half], domains[half:]]


def read(
    connection: libvirt.virConnect, domains: Sequence[libvirt.virDomain], groups: int
) -> list[Record]:
    """Read the domains' statistics in up to two parallel calls, like answers.read().

    Returns or raises only after both calls have ended. Raises libvirtError.
    """
    first, *second = parts(domains)
    if not second:
        return answers.read(connection, list(first), groups)
    call = Calls(1).start(lambda: answers.read(connection, list(second[0]), groups))
    try:
        records = answers.read(connection, list(first), groups)
    except Exception:
        # A call that keeps its error keeps libvirt's objects: see Call.result().
        with contextlib.suppress(Exception):
            _result(call)
        raise
    return records + _result(call)


def _result(call: Call[list[Record]]) -> list[Record]:
    # No deadline, because read() itself runs within a call that has one.
    call.wait(threading.TIMEOUT_MAX)
    return call.result()
