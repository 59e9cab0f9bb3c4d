# SPDX-License-Identifier: Apache-2.0
"""Read the state of QEMU processes from the host's /proc. libvirt is not asked.

If /proc does not show the processes, the plugin knows nothing about them. This happens in a
container without the host's processes, with hidepid, and with a remote libvirt.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import NoAnswerError

T = TypeVar("T")

#: States of QEMU's main thread in which it does not answer. It waits for its disk, is stopped, or
#: is held by a debugger.
HALTED = (psutil.STATUS_DISK_SLEEP, psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
#: Seconds between two checks. A healthy QEMU process waits less than this for its disk.
SECOND_CHECK = 0.05
#: Longest time in seconds for reading /proc. Reading a command line waits for the process's memory
#: map, which a process that hangs in the kernel can hold.
PROC_SECONDS = 0.5


class QemuProcesses:
    """Finds the QEMU process of a domain by the UUID on its command line."""

    def __init__(self, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._calls = Calls(1)
        self._known: dict[str, psutil.Process] = {}

    def halted(self, uuids: Iterable[str]) -> set[str]:
        """Return the domains whose QEMU was halted in two checks, SECOND_CHECK seconds apart."""
        wanted = set(uuids)
        suspects = self._bounded(lambda: self._halted(wanted)) or set()
        if suspects:
            self._pause(SECOND_CHECK)
            suspects = self._bounded(lambda: self._halted(suspects)) or set()
        return suspects

    def started(self, uuids: Iterable[str]) -> dict[str, float]:
        """Return when each domain's QEMU started, in seconds since the epoch, if known."""
        wanted = set(uuids)
        return self._bounded(lambda: self._started(wanted)) or {}

    def _bounded(self, search: Callable[[], T]) -> T | None:
        try:
            return self._calls.run(search, PROC_SECONDS)
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
