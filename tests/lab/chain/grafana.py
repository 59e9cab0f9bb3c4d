# SPDX-License-Identifier: Apache-2.0
"""Grafana's own schema and a TypeScript compiler, from npm, in the lab's cache."""

import os
import pathlib
import subprocess
import tempfile

from tests.lab import download, image

PACKAGES = ("@grafana/schema@13.2.3", "typescript@7.0.2")
COMPILER = pathlib.Path("node_modules/typescript/bin/tsc")
SCHEMA = pathlib.Path("node_modules/@grafana/schema/dist/esm")
INSTALL = (
    "install", "--no-audit", "--no-fund", "--no-package-lock", "--no-update-notifier",
    "--fetch-timeout", "15000", "--fetch-retries", "1",
)  # fmt: skip
INSTALL_SECONDS = 120
COMPILER_SECONDS = 60


def packages() -> pathlib.Path:
    """Return the folder with node_modules. It does not exist before fetch() was called."""
    return image.cache_dir() / "-".join(PACKAGES).strip("@").replace("/", "-")


def fetch(programs: pathlib.Path) -> pathlib.Path:
    """Install the packages into the cache if they are missing. Return packages().

    programs: The folder that has npm and node. npm verifies its downloads. Starting the compiler
        shows that all packages are there. Raises download.DownloadError.
    """
    target = packages()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        built = pathlib.Path(scratch, "packages")
        built.mkdir()
        download.attempt(
            programs / "npm", *INSTALL, "--prefix", built, *PACKAGES,
            seconds=INSTALL_SECONDS, cwd=built, environment=_environment(programs),
        )  # fmt: skip
        _verify(programs, built)
        built.rename(target)
    return target


def _environment(programs: pathlib.Path) -> dict[str, str]:
    """Return the caller's environment with the system's certificate authorities.

    Node.js has its own list of authorities, and npm retries a refused certificate silently.
    """
    options = f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip()
    path = f"{programs}:{os.environ.get('PATH', '')}"
    return {**os.environ, "NODE_OPTIONS": options, "PATH": path}


def _verify(programs: pathlib.Path, built: pathlib.Path) -> None:
    """Raise DownloadError unless the compiler runs and the schema is there."""
    try:
        subprocess.run(
            [programs / "node", built / COMPILER, "--version"],
            check=True, capture_output=True, timeout=COMPILER_SECONDS,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        raise download.DownloadError(f"the TypeScript compiler does not run: {error}") from error
    if not (built / SCHEMA).is_dir():
        raise download.DownloadError(f"npm has installed no {SCHEMA}")
