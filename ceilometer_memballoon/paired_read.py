# SPDX-License-Identifier: Apache-2.0
"""Read many domains in two calls at the same time, because QEMU takes longer than libvirtd."""

import threading
from collections.abc import Sequence
from concurrent import futures
from typing import TypeVar

from ceilometer_memballoon import answers
from ceilometer_memballoon.binding import libvirt
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
    """Read like answers.read(). Return when no call uses the connection."""
    first, *others = parts(domains)
    pending = [_start(connection, part, groups) for part in others]
    try:
        records = answers.read(connection, list(first), groups)
    finally:
        # There is no deadline here, because the enclosing call has one.
        futures.wait(pending)
    return records + [record for one in pending for record in one.result()]


def _start(
    connection: libvirt.virConnect, domains: Sequence[libvirt.virDomain], groups: int
) -> "futures.Future[list[Record]]":
    future: futures.Future[list[Record]] = futures.Future()

    def run() -> None:
        try:
            future.set_result(answers.read(connection, list(domains), groups))
        except Exception as error:
            future.set_exception(error)

    # Use a daemon thread, because the interpreter joins an executor's threads at exit.
    threading.Thread(target=run, daemon=True).start()
    return future
