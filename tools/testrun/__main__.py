# SPDX-License-Identifier: Apache-2.0
"""The command line of ./tools/test."""

import argparse
import collections
import functools
import signal
import sys

from rich.console import Console

from tools.testrun import loopback, tox
from tools.testrun.board import Board, summary, table
from tools.testrun.environment import FAILURES, Environment, State
from tools.testrun.fetch import Failure, fetch
from tools.testrun.run import SIGNALS, run

EPILOG = """
Everything that the tests need is fetched before the first test starts (./tools/fetch).
A single environment prints its output. Several environments write it to one file each.
"""
LIMIT_MINUTES = 30.0
INTERRUPTED = 130


def main() -> int:
    """Fetch, run and report. Return the exit status."""
    for signum in SIGNALS:
        signal.signal(signum, signal.default_int_handler)
    arguments = _parse()
    names = arguments.environments or tox.environments()
    isolated = loopback.available()
    console = Console(highlight=False)
    try:
        failures = fetch(names)
        for failure in failures:
            print(failure, flush=True)
        if not isolated:
            print("==> The tests can use the network: only root can isolate them", flush=True)
        if len(names) == 1:
            return _run_one(names[0], arguments, failures, isolated=isolated)
        return _run_all(names, arguments, failures, console, isolated=isolated)
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left running.")
        return INTERRUPTED


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./tools/test", description="Run the tests.")
    parser.epilog = EPILOG
    parser.add_argument(
        "-e", dest="environments", type=lambda text: text.split(","), metavar="NAME[,NAME]",
        help="tox environments; all of tox.ini's env_list by default",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=float, default=LIMIT_MINUTES, metavar="MINUTES",
        help="limit of each environment in minutes (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("pytest", nargs="*", metavar="-- ARGUMENTS", help="pytest's arguments")
    return parser.parse_args()


def _run_one(
    name: str, arguments: argparse.Namespace, failures: list[Failure], *, isolated: bool
) -> int:
    """Run one environment on this terminal. Return the exit status."""
    if any(failure.need.name == name for failure in failures):
        return 1
    one = Environment(name, arguments.limit * 60)
    start = functools.partial(one.start_here, arguments.pytest, isolated=isolated)
    run([one], lambda _: start(), lambda: None, {name: set()})
    if one.state is State.TIMED_OUT:
        print(f"{name}: {one.state.value} after {arguments.limit:g} minutes", flush=True)
    return 1 if failures or one.state in FAILURES else 0


def _run_all(
    names: list[str],
    arguments: argparse.Namespace,
    failures: list[Failure],
    console: Console,
    *,
    isolated: bool,
) -> int:
    """Run several environments in parallel. Return the exit status."""
    environments = [Environment(name, arguments.limit * 60) for name in names]
    lost = {failure.need.name for failure in failures}
    for one in environments:
        if one.name in lost:
            one.state = State.NOT_RUN
    try:
        with Board(console, environments) as board:
            run(
                environments,
                lambda one: one.start(arguments.pytest, isolated=isolated),
                board.show,
                tox.dependencies(names),
            )
    finally:
        _close(console, environments, failures)
    return 1 if failures or any(one.state in FAILURES for one in environments) else 0


def _close(console: Console, environments: list[Environment], failures: list[Failure]) -> None:
    """Print the complete failures, the table, the reasons of skipped tests, and the totals."""
    bad = [one for one in environments if one.state in FAILURES]
    for one in bad:
        print(f"\n{'=' * 20} {_heading(one)}\n{one.output.failures()}")
    print()
    console.print(table(environments))
    for one in environments:
        for reason, count in one.output.reasons.items():
            print(f"{one.name}: {count} skipped: {reason}")
    for failure in failures:
        print(failure)
    for one in bad:
        print(_heading(one))
    sums = collections.Counter[str]()
    for one in environments:
        sums.update(one.tests)
    sums["failed"] += sum(failure.need.name not in {e.name for e in environments}
                          for failure in failures)  # fmt: skip
    print(f"\n{summary(sums)}", flush=True)


def _heading(one: Environment) -> str:
    return f"{one.name}: {one.state.value}; its output: {one.output.path}"


if __name__ == "__main__":
    sys.exit(main())
