# SPDX-License-Identifier: Apache-2.0
"""Show the progress of a run, one line for each environment."""

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tools.testrun.environment import FAILURES, Environment, State

STYLES = {State.RUNNING: "cyan", State.PASSED: "green", State.WAITING: "dim"}


class Board:
    """The lines of all environments; a context manager.

    A terminal updates them in place. Elsewhere each line is printed when its environment ends.
    """

    def __init__(self, console: Console, environments: list[Environment]) -> None:
        self._console = console
        self._environments = environments
        self._printed: set[str] = set()
        self._live: Live | None = None

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def show(self) -> None:
        """Update the lines."""
        if self._live:
            self._live.update(table(self._environments), refresh=True)
            return
        for environment in self._environments:
            is_over = environment.state not in (State.WAITING, State.RUNNING)
            if is_over and environment.name not in self._printed:
                self._printed.add(environment.name)
                print(_line(environment), flush=True)


def table(environments: list[Environment]) -> Table:
    """Return all of them, with their states, times and counts."""
    drawn = Table(box=None, pad_edge=False)
    drawn.add_column("environment")
    drawn.add_column("state")
    for name in ("time", "passed", "failed", "skipped", "deselected"):
        drawn.add_column(name, justify="right")
    for one in environments:
        style = STYLES.get(one.state, "bold red")
        counts = (str(count or "") for count in one.tests.values())
        drawn.add_row(one.name, f"[{style}]{one.state.value}[/]", clock(one.seconds), *counts)
    return drawn


def clock(seconds: float) -> str:
    """Return minutes and seconds; empty for an environment that has not started."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}" if seconds else ""


def summary(tests: dict[str, int]) -> str:
    """Return the counts of Environment.tests as text.

    Skipped and deselected tests are left out if there are none.
    """
    return ", ".join(
        f"{count} {word}" for word, count in tests.items() if count or word in {"passed", "failed"}
    )


def _line(one: Environment) -> str:
    where = f"; its output: {one.output.path}" if one.state in FAILURES else ""
    return (
        f"{one.name:<14} {one.state.value:<11} {clock(one.seconds):>6}  {summary(one.tests)}{where}"
    )
