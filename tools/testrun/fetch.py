# SPDX-License-Identifier: Apache-2.0
"""Fetch what tox environments need: their packages, guest kernels, services, npm packages.

``python -m tools.testrun.fetch [ENVIRONMENT ...]`` fetches for the environments of ./tools/test
by default. What is already there needs no network.
"""

import dataclasses
import functools
import os
import sys
import time

from tests.lab import download
from tools.testrun import tox
from tools.testrun.needs import Need, environments_for, needs_of

#: Seconds to make one environment. Building libvirt-python takes longest.
ENVIRONMENT_SECONDS = 180
#: A step that takes less is not printed, because everything was already there.
SILENT_SECONDS = 8


@dataclasses.dataclass(frozen=True)
class Failure:
    """A need that is not available, and the reason."""

    need: Need
    error: str

    def __str__(self) -> str:
        return f"not available: {self.need.name} ({self.need.purpose}): {self.error}"


def main() -> int:
    """Fetch, and print what is not available, one line each. Return the exit status."""
    failures = fetch(sys.argv[1:] or tox.environments())
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def fetch(names: list[str]) -> list[Failure]:
    """Fetch all that these environments need. Return what is not available."""
    # The defaults of pip and uv are up to three minutes for one answer.
    os.environ["UV_HTTP_TIMEOUT"] = os.environ["PIP_DEFAULT_TIMEOUT"] = "15"
    names = environments_for(names)
    at_once = Need("tox environments", ", ".join(names), functools.partial(_make, names, tries=1))
    needs = list(needs_of(names))
    # The environments are made in parallel. If that fails, each is made alone to find the failing
    # one.
    if _failure(at_once):
        alone = (Need(name, "tox environment", functools.partial(_make, [name])) for name in names)
        needs = [*alone, *needs]
    return [failure for need in needs if (failure := _failure(need))]


def _failure(need: Need) -> Failure | None:
    """Return why the need is not available; None if it is."""
    begin = time.monotonic()
    _show(f"Fetching: {need.name} ...")
    try:
        need.get()
    except Exception as error:  # report any failure, and fetch the rest
        return Failure(need, " ".join(str(error).split()) or repr(error))
    finally:
        _show("")
    if (seconds := time.monotonic() - begin) > SILENT_SECONDS:
        print(f"ready: {need.name} ({seconds:.0f} s)", flush=True)
    return None


def _show(text: str) -> None:
    """Replace the terminal's current line with this text."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def _make(names: list[str], tries: int = 2) -> None:
    command = (*tox.COMMAND, "run-parallel", "--parallel", "2", "--notest", "-e", ",".join(names))
    seconds = ENVIRONMENT_SECONDS * len(names)
    download.attempt(*command, seconds=seconds, tries=tries, cwd=tox.TREE)


if __name__ == "__main__":
    sys.exit(main())
