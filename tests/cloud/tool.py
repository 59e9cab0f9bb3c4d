# SPDX-License-Identifier: Apache-2.0
"""./tools/cloud as a person runs it."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import psutil

from tests.lab.waiting import wait_long_for

TREE = pathlib.Path(__file__).parents[2]
UP_SECONDS = 600
STOP_SECONDS = 120


class Tool:
    """The running command; a context manager that interrupts it. log: the file with its output."""

    def __init__(self, log):
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.cloud"], cwd=TREE, stdout=output, stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def wait_until_up(self):
        """Wait until the command has printed the next steps. Raises TimeoutError."""
        wait_long_for(
            lambda: self.printed("Ctrl-C stops everything") or self._process.poll() is not None,
            UP_SECONDS, "the cloud", self.log.read_text,
        )  # fmt: skip
        if self._process.poll() is not None:
            raise RuntimeError(f"the command has ended: {self.log.read_text()}")

    def printed(self, pattern):
        """Return the first match in the output so far; None if there is none."""
        return re.search(pattern, self.log.read_text())

    @property
    def folder(self):
        """The cloud's folder."""
        return pathlib.Path(self.printed(r"\. (\S+)/openrc")[1])

    def processes(self):
        """Return all processes that the command has started and that still belong to it."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def interrupt(self):
        """Press Ctrl-C, and return the command's exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=STOP_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._process.poll() is None:
            self.interrupt()
