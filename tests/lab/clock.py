# SPDX-License-Identifier: Apache-2.0
"""A wall clock that tests can step for the processes of one lab.

libfaketime cannot be used. With a true monotonic clock, Debian 12's version fails in
clock_nanosleep, which Python's time.sleep calls.
"""

import pathlib
import struct
import subprocess

from tests.lab.hypervisor import Hypervisor

SOURCE = pathlib.Path(__file__).with_name("clock.c")
BUILD_SECONDS = 60
EMULATOR = """#!/bin/sh
exec env {settings} /usr/bin/qemu-system-x86_64 "$@"
"""


class Clock:
    """The true time until it is stepped. Processes use it through ``environment``."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._file = hypervisor.folder / "clock"
        self.step(0)
        library = hypervisor.folder / "clock.so"
        command = ["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, timeout=BUILD_SECONDS)
        self.environment = {"LD_PRELOAD": str(library), "LAB_CLOCK": str(self._file)}
        self.emulator = self._write_emulator(hypervisor.folder / "qemu-with-clock")

    def step(self, seconds: int) -> None:
        """Set the clock ahead of the true time by this many seconds."""
        # Write into the mapped file, and do not replace it.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
        self._file.chmod(0o644)

    def _write_emulator(self, path: pathlib.Path) -> str:
        settings = " ".join(f"'{name}={value}'" for name, value in self.environment.items())
        path.write_text(EMULATOR.format(settings=settings))
        path.chmod(0o755)
        return str(path)
