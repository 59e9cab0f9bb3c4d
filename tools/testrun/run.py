# SPDX-License-Identifier: Apache-2.0
"""Run environments three at a time, until all have ended or Ctrl-C."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from tools.testrun import tox
from tools.testrun.environment import Environment, State

#: Enough to keep two CPUs busy, because tests often wait for a polling interval.
LANES = 3
#: The signals that end a run.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CHECK_SECONDS = 0.5
SWEEP_SECONDS = 60
#: Removes every lab that no running process owns.
SWEEP = "from tests.lab.hypervisor import sweep; sweep()"


def run(
    environments: list[Environment],
    start: Callable[[Environment], None],
    show: Callable[[], None],
    depends: dict[str, set[str]],
) -> None:
    """Run the waiting environments in their order. Return when all have ended.

    start: Starts one environment.
    show: Called twice a second.
    depends: The names of the environments that have to end before one starts.
    Ctrl-C ends all environments and raises KeyboardInterrupt. A second Ctrl-C kills them without
    waiting for their labs, and this process removes the labs.
    """
    try:
        _until_ended(environments, start, show, depends)
    except BaseException:
        running = _in(State.RUNNING, environments)
        _cancel(environments)
        try:
            _until_ended(environments, start, show, depends)
        finally:
            for one in running:
                one.kill()
                _sweep(one)
        raise
    for one in environments:
        if one.was_killed:
            _sweep(one)


def _until_ended(
    environments: list[Environment],
    start: Callable[[Environment], None],
    show: Callable[[], None],
    depends: dict[str, set[str]],
) -> None:
    while any(_is_unfinished(one) for one in environments):
        for one in _in(State.RUNNING, environments):
            one.update()
        for one in _ready(environments, depends):
            with _signals_later():
                start(one)
        show()
        time.sleep(CHECK_SECONDS)


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Delay KeyboardInterrupt until the block has ended.

    An interruption after a process starts and before that is recorded would leave it running.
    Blocking the signals does not work, because the process would inherit that.
    """
    came: list[int] = []
    before = {signum: signal.signal(signum, lambda number, _: came.append(number))
              for signum in SIGNALS}  # fmt: skip
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if came:
        raise KeyboardInterrupt


def _cancel(environments: list[Environment]) -> None:
    for one in _in(State.WAITING, environments):
        one.state = State.INTERRUPTED
    for one in _in(State.RUNNING, environments):
        one.stop(State.INTERRUPTED)


def _in(state: State, environments: list[Environment]) -> list[Environment]:
    return [one for one in environments if one.state is state]


def _is_unfinished(one: Environment) -> bool:
    return one.state in (State.WAITING, State.RUNNING)


def _ready(environments: list[Environment], depends: dict[str, set[str]]) -> list[Environment]:
    """Return the environments to start now."""
    unfinished = {one.name for one in environments if _is_unfinished(one)}
    ready = [one for one in _in(State.WAITING, environments) if not depends[one.name] & unfinished]
    return ready[: LANES - len(_in(State.RUNNING, environments))]


def _sweep(environment: Environment) -> None:
    python = tox.programs_of(environment.name) / "python"
    if python.exists():
        subprocess.run(
            [python, "-c", SWEEP], check=False, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=SWEEP_SECONDS,
        )  # fmt: skip
