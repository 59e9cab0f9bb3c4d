# SPDX-License-Identifier: Apache-2.0
"""Install the system packages of bindep.txt that are missing."""

import pathlib
import shutil
import subprocess
import sys

from tests.lab.download import DownloadError, as_root, attempt, renew_lists

TREE = pathlib.Path(__file__).resolve().parents[2]
BINDEP = TREE / "bindep.txt"
INSTALL_SECONDS = 600
QUERY_SECONDS = 60


def main() -> int:
    """Install missing packages and print those that cannot be installed. Return the exit status.

    A machine on which nothing can be installed is no failure. The tests that need the packages
    are skipped, or fail under REQUIRE_LAB=1.
    """
    if not (wanted := missing()):
        return 0
    if not can_install():
        _print_packages(wanted, "not installed")
        print(f"==> Continuing without them. As root: apt-get install {' '.join(wanted)}")
        return 0
    print(f"==> Installing system packages: {' '.join(wanted)}", flush=True)
    errors = install(wanted)
    if left := missing():
        _print_packages(left, "cannot be installed")
        print(*errors, sep="\n", file=sys.stderr)
    return 1 if left else 0


def missing() -> list[str]:
    """Return the packages that bindep reports as missing."""
    done = subprocess.run(
        [pathlib.Path(sys.executable).with_name("bindep"), "--brief", "test"],
        check=False, cwd=TREE, stdout=subprocess.PIPE, text=True, timeout=QUERY_SECONDS,
    )  # fmt: skip
    return done.stdout.split()


def can_install() -> bool:
    """Return whether apt is there, and root or a sudo without a password."""
    if not shutil.which("apt-get"):
        return False
    done = subprocess.run(
        [*as_root(), "id", "-u"], check=False, capture_output=True, timeout=QUERY_SECONDS
    )
    return done.stdout.strip() == b"0"


def install(packages: list[str]) -> list[str]:
    """Install all packages at once, or one by one if that fails. Return one line for each error."""
    command = (
        *as_root(), "env", "DEBIAN_FRONTEND=noninteractive",
        "apt-get", "install", "-y", "--no-install-recommends",
    )  # fmt: skip
    try:
        renew_lists()
        attempt(*command, *packages, seconds=INSTALL_SECONDS)
    except DownloadError as first:
        errors = [str(first)]
        for package in packages:
            try:
                attempt(*command, package, seconds=INSTALL_SECONDS, tries=1)
            except DownloadError as error:
                errors.append(str(error))
        return errors
    return []


def purposes() -> dict[str, str]:
    """Return the purpose of each package of bindep.txt, from the comment above it."""
    found: dict[str, str] = {}
    comment: list[str] = []
    in_comment = False
    for line in BINDEP.read_text().splitlines():
        if line.startswith("#"):
            comment = [*comment, line.strip("# ")] if in_comment else [line.strip("# ")]
        elif line.strip():
            found[line.split()[0]] = " ".join(comment).rstrip(".:")
        in_comment = line.startswith("#")
    return found


def _print_packages(packages: list[str], what: str) -> None:
    for package in packages:
        print(f"{what}: {package}. {purposes().get(package, '')}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
