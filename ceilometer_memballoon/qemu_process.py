# SPDX-License-Identifier: Apache-2.0
"""Find out from the host's /proc how QEMU processes are. libvirt is not asked.

Where /proc does not show them (a container without the host's processes, hidepid, a
remote libvirt), nothing is known of them.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import NoAnswerError

T = TypeVar("T")

#: States of QEMU's main thread in which it gives no answer: it waits for its disk,
#: or it is stopped, or a debugger holds it.
HALTED = (psutil.STATUS_DISK_SLEEP, psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
#: Seconds between two checks. A healthy QEMU waits for its disk for less than this.
SECOND_LOOK = 0.05
#: Longest time in seconds for reading /proc. Reading the command line of a process waits for its
#: memory map, which a process that hangs in the kernel can hold.
LOOK_SECONDS = 0.5


class QemuProcesses:
    """Finds the QEMU process of a domain by the uuid on its command line."""

    def __init__(self, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._calls = Calls(1)
        self._known: dict[str, psutil.Process] = {}

    def halted(self, uuids: Iterable[str]) -> set[str]:
        """Return the domains whose QEMU was halted in two checks, SECOND_LOOK apart."""
        wanted = set(uuids)
        suspects = self._bounded(lambda: self._halted(wanted)) or set()
        if suspects:
            self._pause(SECOND_LOOK)
            suspects = self._bounded(lambda: self._halted(suspects)) or set()
        return suspects

    def started(self, uuids: Iterable[str]) -> dict[str, float]:
        """When each domain's QEMU was started, in seconds since the epoch, if that is known."""
        wanted = set(uuids)
        return self._bounded(lambda: self._started(wanted)) or {}

    def _bounded(self, look: Callable[[], T]) -> T | None:
        try:
            return self._calls.run(look, LOOK_SECONDS)
        except NoAnswerError:
            return None

    def _halted(self, wanted: set[str]) -> set[str]:
        self._find(wanted)
        halted = set()
        for uuid in wanted & self._known.keys():
            with contextlib.suppress(psutil.Error):
                if self._known[uuid].status() in HALTED:
                    halted.add(uuid)
        return halted

    def _started(self, wanted: set[str]) -> dict[str, float]:
        self._find(wanted)
        started = {}
        for uuid in wanted & self._known.keys():
            with contextlib.suppress(psutil.Error):
                started[uuid] = float(self._known[uuid].create_time())
        return started

    def _find(self, wanted: set[str]) -> None:
        known = {uuid: process for uuid, process in self._known.items() if process.is_running()}
        if not wanted <= known.keys():
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    uuid = _uuid_on(process.cmdline())
                    if uuid is not None:
                        known[uuid] = process
        self._known = known


def _uuid_on(command: list[str]) -> str | None:
    # libvirt starts each QEMU with -uuid (qemuBuildCommandLine).
    with contextlib.suppress(ValueError, IndexError):
        return command[command.index("-uuid") + 1].lower()
    return None
