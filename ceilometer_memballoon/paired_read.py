# SPDX-License-Identifier: Apache-2.0
"""Read many domains in two calls at once: QEMU's answers are what takes time, not libvirtd."""

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
    """The domains of each call, in the order in which libvirt asks them."""
    if len(domains) <= MOST_IN_CALL:
        return [domains]
    half = (len(domains) + 1) // 2
    return [domains[:half], domains[half:]]


def read(
    connection: libvirt.virConnect, domains: Sequence[libvirt.virDomain], groups: int
) -> list[Record]:
    """As answers.read(). It returns when no call uses the connection any more."""
    first, *others = parts(domains)
    pending = [_start(connection, part, groups) for part in others]
    try:
        records = answers.read(connection, list(first), groups)
    finally:
        # Without a deadline, like everything that runs within a call. The call has one.
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

    # A daemon thread, because an executor's threads are joined at exit.
    threading.Thread(target=run, daemon=True).start()
    return future
