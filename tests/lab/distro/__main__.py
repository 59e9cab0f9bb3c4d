# SPDX-License-Identifier: Apache-2.0
"""Run the tests on another Debian release.

python -m tests.lab.distro debian13 [PYTEST ARGUMENT ...]
"""

import argparse
import dataclasses
import signal
import subprocess
import sys

from tests.lab.distro import root
from tests.lab.distro.parts import RELEASES, SELECTED, Part
from tests.lab.distro.run import Release


def main() -> int:
    """Run the tests. Return the exit status."""
    options, more = _parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if lacking := root.lacks():
        print(f"{options.release} needs {', '.join(lacking)}")
        return 1
    suite, parts = RELEASES[options.release]
    if options.part:
        parts = tuple(part for part in parts if part.name == options.part)
    if any(word.startswith("tests") for word in more):
        part = parts[0] if options.part else SELECTED
        parts = (dataclasses.replace(part, arguments=()),)
    release = Release(suite)
    release.fetch(parts)
    results = {part.name: _run(release, part, more) for part in parts}
    for name, (status, seconds) in results.items():
        print(f"{options.release}: {name}: {'failed' if status else 'passed'}, {seconds:.0f} s")
    return int(any(status for status, _ in results.values()))


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="tests.lab.distro",
        description="Further arguments are pytest's. Paths among them select tests.",
    )
    parser.add_argument("release", choices=RELEASES)
    names = {part.name for _, parts in RELEASES.values() for part in parts}
    parser.add_argument("--part", choices=sorted(names), help="only this part of the tests")
    return parser.parse_known_args()


def _run(release: Release, part: Part, more: list[str]) -> tuple[int, float]:
    print(f"==> {part.name}", flush=True)
    try:
        return release.run(part, more)
    except subprocess.TimeoutExpired as error:
        print(f"{part.name}: not finished after {error.timeout:g} s", flush=True)
        return 1, error.timeout


if __name__ == "__main__":
    sys.exit(main())
