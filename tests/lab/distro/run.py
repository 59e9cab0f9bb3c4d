# SPDX-License-Identifier: Apache-2.0
"""Fetch what one release's tests need, and run them on a copy of the tree."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator

from tests.lab.distro import environment, namespaces
from tests.lab.distro.parts import Part
from tests.lab.distro.root import LAB, Root

#: Seconds that one part may take, and the download of the guests' kernels.
PART_SECONDS = 2400
IMAGES_SECONDS = 600
HOME_CACHE = "/root/.cache"
FOLDER = "/tree"
IMAGE = (environment.PYTHON, "-m", "tests.lab.image")
KERNELS = (environment.PYTHON, "-m", "tests.lab.kernels")
#: The variable that says that the root folder is thrown away after the tests.
SETTINGS = {"LAB_ROOT": "1", "REQUIRE_LAB": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class FetchError(Exception):
    """The guests' images could not be downloaded."""


class Release:
    """The root folders of one release. suite: Debian's name for it."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._cache = Root(suite, ()).folder.parent / f"{suite}-cache"

    def fetch(self, parts: Iterable[Part]) -> None:
        """Build the root folders of these parts and download the guests' images.

        Raises BuildError, InstallError or FetchError.
        """
        parts = list(parts)
        self._cache.mkdir(parents=True, exist_ok=True)
        for packages in {LAB, *(part.packages for part in parts)}:
            Root(self._suite, packages).build()
        folder = Root(self._suite, LAB).folder
        layers = (environment.layer(folder, self._cache), folder)
        images = (IMAGE, KERNELS) if any(part.kernels for part in parts) else (IMAGE,)
        with copied_tree() as copy:
            for command in images:
                if self._run(layers, command, copy, IMAGES_SECONDS, network=True):
                    raise FetchError(f"no guest images for {self._suite}")

    def run(self, part: Part, more: list[str]) -> tuple[int, float]:
        """Run one part that has been fetched. Return the exit status and the seconds."""
        folder = Root(self._suite, part.packages).folder
        layers = (folder,) if part.own else (environment.layer(folder, self._cache), folder)
        start = time.monotonic()
        with copied_tree() as copy:
            status = self._run(layers, part.command(more), copy, PART_SECONDS, network=False)
        return status, time.monotonic() - start

    def _run(
        self,
        layers: tuple[pathlib.Path, ...],
        command: tuple[str, ...],
        copy: pathlib.Path,
        seconds: float,
        *,
        network: bool,
    ) -> int:
        binds = {copy: FOLDER, self._cache: HOME_CACHE, environment.uv(): environment.UV}
        return namespaces.run(
            layers, *command, seconds=seconds, binds=binds, environment=SETTINGS,
            network=network, folder=FOLDER,
        )  # fmt: skip


@contextlib.contextmanager
def copied_tree() -> Iterator[pathlib.Path]:
    """Copy the checkout's files while the context is active, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=environment.TREE, check=True, stdout=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="memballoon-tree-") as folder:
        for name in listed.stdout.splitlines():
            target = pathlib.Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            # A tracked file may have been deleted.
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(environment.TREE / name, target)
        yield pathlib.Path(folder)
