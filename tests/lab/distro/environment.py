# SPDX-License-Identifier: Apache-2.0
"""The Python packages that the tests need, installed for a root folder.

They are a layer above the root folder and are kept in the cache.
"""

import hashlib
import pathlib
import shutil
import tempfile

from tests.lab.cache import put
from tests.lab.distro import namespaces

TREE = pathlib.Path(__file__).resolve().parents[3]
FOLDER = "/opt/tests"
PYTHON = f"{FOLDER}/bin/python"
UV = "/usr/local/bin/uv"
INSTALL_SECONDS = 600
#: Installs the tree without asking a package index.
BUILD_SYSTEM = "setuptools>=77"

INSTALL = (
    f"uv venv --quiet --allow-existing --python /usr/bin/python3 {FOLDER} && "
    f"uv pip install --quiet --python {PYTHON} "
    '"$@"'
)


class InstallError(Exception):
    """The Python packages could not be installed."""


def requirements() -> list[str]:
    """Return what the package and its tests require."""
    files = (TREE / "requirements.txt", TREE / "test-requirements.txt")
    listed = [line for file in files for line in file.read_text().splitlines()]
    return [line for line in [*listed, BUILD_SYSTEM] if line and not line.startswith("#")]


def uv() -> pathlib.Path:
    """Return the path of the program uv of this environment."""
    # Only the environments that make root folders have uv.
    from uv import find_uv_bin  # noqa: PLC0415

    return pathlib.Path(find_uv_bin())


def layer(root: pathlib.Path, cache: pathlib.Path) -> pathlib.Path:
    """Return the layer for the root folder. Install it if it is missing.

    cache: The home folder's .cache, which is kept. Raises InstallError.
    """
    wanted = requirements()
    digest = hashlib.sha256("\n".join([root.name, *wanted]).encode()).hexdigest()[:12]
    target = root.parent / f"{root.name}-python-{digest}"
    if not target.exists():
        scratch = pathlib.Path(tempfile.mkdtemp(dir=root.parent))
        try:
            folder = scratch / "layer" / FOLDER.lstrip("/")
            folder.mkdir(parents=True)
            binds = {folder: FOLDER, uv(): UV, cache: "/root/.cache"}
            settings = {"UV_LINK_MODE": "copy", "UV_COMPILE_BYTECODE": "1"}
            status = namespaces.run(
                (root,), "sh", "-c", INSTALL, "sh", *wanted,
                seconds=INSTALL_SECONDS, binds=binds, environment=settings, network=True,
            )  # fmt: skip
            if status:
                raise InstallError(f"uv ended with status {status}")
            put(scratch / "layer", target)
        finally:
            shutil.rmtree(scratch)
    return target
