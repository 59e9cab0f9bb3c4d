# SPDX-License-Identifier: Apache-2.0
"""Run one tox environment, with its output in a file or on this terminal."""

import contextlib
import enum
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

from tools.testrun import loopback, reaper, tox
from tools.testrun.output import VERBOSE, Output

LOGS = tox.TREE / "build/test"
#: Seconds in which tests remove their labs after an interruption and tox sees them end.
END_SECONDS = 90


class State(enum.Enum):
    """The state of an environment."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED OUT"
    INTERRUPTED = "interrupted"
    NOT_RUN = "NOT RUN"


#: The states with which the run fails.
FAILURES = (State.FAILED, State.TIMED_OUT, State.NOT_RUN)


class Environment:
    """One tox environment and its run. limit: seconds that it may take.

    state: Its State.
    output: Its output so far.
    seconds: How long it has run.
    was_killed: Whether it ignored its interruption. It may have left labs then.
    """

    def __init__(self, name: str, limit: float) -> None:
        self.name = name
        self.state = State.WAITING
        self.output = Output(LOGS / f"{name}.log")
        self.was_killed = False
        self._limit = limit
        self._on_terminal = False
        self._began = self._ended = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped_as: State | None = None
        self._kill_at = float("inf")

    @property
    def seconds(self) -> float:
        """How long it has run in seconds; 0 before it starts."""
        return (self._ended or time.monotonic()) - self._began if self._began else 0.0

    @property
    def tests(self) -> dict[str, int]:
        """How many passed, failed, were skipped and deselected, by these words."""
        counts = self.output.counts
        left_out = {word: counts[word] for word in ("skipped", "deselected")}
        return {"passed": self.passed, "failed": self.failed, **left_out}

    @property
    def passed(self) -> int:
        """Tests that passed; 1 for an environment without tests, such as docs."""
        counts = self.output.counts
        if counts or self.state is not State.PASSED:
            return counts["passed"] + counts["xfail"]
        return 1

    @property
    def failed(self) -> int:
        """Tests that failed; at least 1 if the environment failed."""
        counts = self.output.counts
        found = counts["failed"] + counts["error"] + counts["xpass"]
        return max(found, 1 if self.state in FAILURES else 0)

    def start(self, arguments: list[str], *, isolated: bool) -> None:
        """Start it with its output in its file. arguments: arguments of pytest."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.output.path.open("wb") as file:
            self._start(
                command(self.name, [*VERBOSE, *arguments], isolated=isolated),
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def start_here(self, arguments: list[str], *, isolated: bool) -> None:
        """Start it on this terminal, which sends its signals. Tests are not counted."""
        self.output = Output(pathlib.Path(os.devnull))
        self._on_terminal = sys.stdin.isatty()
        self._start(command(self.name, arguments, isolated=isolated))

    def update(self) -> None:
        """Count the tests that ended since the last call. Notice the run's end or limit."""
        assert self._process is not None
        status = self._process.poll()
        self.output.count()
        if status is not None:
            self._ended = time.monotonic()
            self.state = self._state_after(status)
            self.kill()  # the rest of its process group
        elif time.monotonic() > self._kill_at:
            self.was_killed = True
            self.kill()
        elif self._stopped_as is None and self.seconds > self._limit:
            self.stop(State.TIMED_OUT)

    def stop(self, state: State) -> None:
        """Interrupt it, and kill it after END_SECONDS. Its state is then this one."""
        self._stopped_as = state
        self._kill_at = time.monotonic() + END_SECONDS
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill it at once. The processes of its labs keep running."""
        self._signal(signal.SIGKILL)

    def _start(self, words: list[str], **how: Any) -> None:
        self._process = subprocess.Popen(
            words, cwd=tox.TREE, start_new_session=not self._on_terminal, **how
        )
        self._began = time.monotonic()
        self.state = State.RUNNING

    def _state_after(self, status: int) -> State:
        if self._stopped_as is not None:
            return self._stopped_as
        return State.PASSED if status == 0 else State.FAILED

    def _signal(self, signum: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            if not self._on_terminal:
                os.killpg(self._process.pid, signum)
            elif signum == signal.SIGKILL:
                self._process.kill()
            elif self._stopped_as is State.TIMED_OUT:
                self._process.terminate()  # the reaper interrupts its command then


def command(name: str, arguments: list[str], *, isolated: bool) -> list[str]:
    """Return the command that runs an environment which fetch has made.

    isolated: in a network with only the loopback device.
    """
    words = [*tox.COMMAND, "run", "--skip-env-install", "--skip-pkg-install", "-e", name]
    return [*reaper.WORDS, *(loopback.WORDS if isolated else ()), *words, "--", *arguments]
