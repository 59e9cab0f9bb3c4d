# SPDX-License-Identifier: Apache-2.0
"""A wall clock that tests can step, for one lab's processes alone (libfaketime)."""

import pathlib

from tests.lab.hypervisor import Hypervisor

LIBRARY = "/usr/lib/$LIB/faketime/libfaketime.so.1"
EMULATOR = """#!/bin/sh
exec env {settings} /usr/bin/qemu-system-x86_64 "$@"
"""


class Clock:
    """The true time until it is stepped; processes take it on by ``environment``.

    Only the wall clock is stepped: monotonic ones go on, as they do when ntpd or an
    operator sets a host's clock.
    """

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._file = hypervisor.folder / "clock"
        self.step(0)
        self.environment = {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.emulator = self._write_emulator(hypervisor.folder / "qemu-with-clock")

    def step(self, seconds: int) -> None:
        """Set the clock to so many seconds ahead of the true time."""
        # In one write to a file of fixed size: its readers never see half a number.
        self._file.write_text(f"{seconds:+09d}")
        self._file.chmod(0o644)

    def _write_emulator(self, path: pathlib.Path) -> str:
        settings = " ".join(f"'{name}={value}'" for name, value in self.environment.items())
        path.write_text(EMULATOR.format(settings=settings))
        path.chmod(0o755)
        return str(path)
