# SPDX-License-Identifier: Apache-2.0
"""Run one tox environment, with its output in a file, and count its tests."""

import collections
import contextlib
import enum
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from tools.testrun import loopback, tox

LOGS = tox.TREE / "build/test"
#: A test's verdict in pytest's verbose output: "tests/unit/test_x.py::test_y PASSED [  3%]".
VERDICT = re.compile(r"^\S+::.* (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))? +\[ *\d+%\]$")
#: Where pytest begins to tell of failures.
TOLD = re.compile(r"^=+ (FAILURES|ERRORS) =+$", re.MULTILINE)
VERBOSE = ("--verbose", "--color=no", "--durations=10")
#: For a test run to take down its labs after an interruption, and for tox to see it end.
END_SECONDS = 60
#: Of the output of an environment that is no pytest, or that died.
LAST_LINES = 200


class State(enum.Enum):
    """Where an environment is."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED OUT"
    INTERRUPTED = "interrupted"
    NOT_RUN = "NOT RUN"


#: The run fails by these.
FAILURES = (State.FAILED, State.TIMED_OUT, State.NOT_RUN)


class Environment:
    """One tox environment and its run. limit: seconds that it may take.

    state: a State; counts: tests so far by pytest's word in lower case; log: the file
    that has the whole output; seconds: how long it has run.
    """

    def __init__(self, name: str, limit: float) -> None:
        self.name = name
        self.state = State.WAITING
        self.counts: collections.Counter[str] = collections.Counter()
        self.log = LOGS / f"{name}.log"
        self._limit = limit
        self._read = 0
        self._on_terminal = False
        self._began = self._ended = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped_as: State | None = None
        self._kill_at = float("inf")

    @property
    def seconds(self) -> float:
        """How long it has run; 0 before it begins."""
        return (self._ended or time.monotonic()) - self._began if self._began else 0.0

    @property
    def passed(self) -> int:
        """Tests that passed; 1 for an environment without tests, such as docs."""
        if self.counts or self.state is not State.PASSED:
            return self.counts["passed"] + self.counts["xfail"]
        return 1

    @property
    def failed(self) -> int:
        """Tests that failed; at least 1 if the environment failed."""
        found = self.counts["failed"] + self.counts["error"] + self.counts["xpass"]
        return max(found, 1 if self.state in FAILURES else 0)

    def start(self, arguments: list[str], *, isolated: bool) -> None:
        """Begin to run; isolated: in a network that has loopback only."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command(self.name, [*VERBOSE, *arguments], isolated=isolated),
                cwd=tox.TREE, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            )  # fmt: skip
        self._has_begun()

    def start_here(self, arguments: list[str], *, isolated: bool) -> None:
        """Begin to run on this terminal, which then signals it itself; nothing is counted."""
        self.log = pathlib.Path(os.devnull)
        self._on_terminal = sys.stdin.isatty()
        self._process = subprocess.Popen(
            command(self.name, arguments, isolated=isolated),
            cwd=tox.TREE, start_new_session=not self._on_terminal,
        )  # fmt: skip
        self._has_begun()

    def look(self) -> None:
        """Count what has been tested since the last look; notice its end or its limit."""
        assert self._process is not None
        status = self._process.poll()
        self._count()
        if status is not None:
            self._ended = time.monotonic()
            self.state = self._state_after(status)
            self._signal(signal.SIGKILL)  # whatever is left of its group
        elif time.monotonic() > self._kill_at:
            self.kill()
        elif self._stopped_as is None and self.seconds > self._limit:
            self.stop(State.TIMED_OUT)

    def stop(self, state: State) -> None:
        """Send it what a terminal sends at Ctrl-C; once it has ended, this is its state.

        It is killed if it has not ended after END_SECONDS.
        """
        self._stopped_as = state
        self._kill_at = time.monotonic() + END_SECONDS
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once; what ran in its labs goes on."""
        self._signal(signal.SIGKILL)

    def report(self) -> str:
        """What it printed of its failures, or its last lines."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        if begin := TOLD.search(text):
            return text[begin.start() :]
        return "\n".join(text.splitlines()[-LAST_LINES:])

    def _has_begun(self) -> None:
        self._began = time.monotonic()
        self.state = State.RUNNING

    def _count(self) -> None:
        with self.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if found := VERDICT.search(line):
                self.counts[found[1].lower()] += 1

    def _state_after(self, status: int) -> State:
        if self._stopped_as is not None:
            return self._stopped_as
        return State.PASSED if status == 0 else State.FAILED

    def _signal(self, signum: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            if not self._on_terminal:
                os.killpg(self._process.pid, signum)
            elif signum != signal.SIGINT or self._stopped_as is State.TIMED_OUT:
                self._process.send_signal(signum)


def command(name: str, arguments: list[str], *, isolated: bool) -> list[str]:
    """The words that run an environment as fetch has made it, with no installation."""
    words = [*tox.COMMAND, "run", "--skip-env-install", "--skip-pkg-install", "-e", name]
    return [*(loopback.WORDS if isolated else ()), *words, "--", *arguments]
