# SPDX-License-Identifier: Apache-2.0
"""Packages from npm, in the lab's cache."""

import os
import pathlib
import tempfile
from collections.abc import Callable

from tests.lab import download, image

INSTALL = (
    "install", "--no-audit", "--no-fund", "--no-package-lock", "--no-update-notifier",
    "--fetch-timeout", "15000", "--fetch-retries", "1",
)  # fmt: skip
INSTALL_SECONDS = 120


def folder_of(packages: tuple[str, ...]) -> pathlib.Path:
    """Return the folder with these packages' node_modules. fetch() makes it."""
    return image.cache_dir() / "-".join(packages).strip("@").replace("/", "-")


def fetch(
    programs: pathlib.Path,
    packages: tuple[str, ...],
    verify: Callable[[pathlib.Path], None] = lambda folder: None,
) -> pathlib.Path:
    """Install packages into the cache if they are missing. Return folder_of(packages).

    programs: The folder that has npm and node. npm verifies its downloads.
    packages: Names with versions, such as ``echarts@6.1.0``.
    verify: Called with the new folder. Raises download.DownloadError if something is missing.
    Raises download.DownloadError.
    """
    target = folder_of(packages)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        built = pathlib.Path(scratch, "packages")
        built.mkdir()
        download.attempt(
            programs / "npm", *INSTALL, "--prefix", built, *packages,
            seconds=INSTALL_SECONDS, cwd=built, environment=_environment(programs),
        )  # fmt: skip
        verify(built)
        built.rename(target)
    return target


def _environment(programs: pathlib.Path) -> dict[str, str]:
    """Return the caller's environment with the system's certificate authorities.

    Node.js has its own list of authorities, and npm retries a refused certificate silently.
    """
    options = f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip()
    path = f"{programs}:{os.environ.get('PATH', '')}"
    return {**os.environ, "NODE_OPTIONS": options, "PATH": path}
