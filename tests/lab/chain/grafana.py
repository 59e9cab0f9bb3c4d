# SPDX-License-Identifier: Apache-2.0
"""Grafana's own schema and a TypeScript compiler, from npm."""

import functools
import pathlib
import subprocess

from tests.lab import download
from tests.lab.chain import npm

PACKAGES = ("@grafana/schema@13.2.3", "typescript@7.0.2")
COMPILER = pathlib.Path("node_modules/typescript/bin/tsc")
SCHEMA = pathlib.Path("node_modules/@grafana/schema/dist/esm")
COMPILER_SECONDS = 60


def packages() -> pathlib.Path:
    """Return the folder with node_modules. It does not exist before fetch() was called."""
    return npm.folder_of(PACKAGES)


def fetch(programs: pathlib.Path) -> pathlib.Path:
    """Install the packages into the cache if they are missing. Return packages().

    programs: The folder that has npm and node. Starting the compiler shows that all packages are
        there. Raises download.DownloadError.
    """
    return npm.fetch(programs, PACKAGES, functools.partial(_verify, programs))


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
