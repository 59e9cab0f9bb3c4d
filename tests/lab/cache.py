# SPDX-License-Identifier: Apache-2.0
"""The folder that keeps what is built and downloaded for the lab."""

import os
import pathlib


def cache_dir() -> pathlib.Path:
    """Return the folder that keeps built images and unpacked packages between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "ceilometer-memballoon"


def put(built: pathlib.Path, target: pathlib.Path) -> None:
    """Rename a finished folder to its place in the cache.

    Renaming keeps an interrupted build out of the cache.
    """
    try:
        built.rename(target)
    except OSError:
        # Another process may have built the same in the meantime.
        if not target.exists():
            raise
