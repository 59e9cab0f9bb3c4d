# SPDX-License-Identifier: Apache-2.0
"""Read the environments of tox.ini."""

import configparser
import pathlib
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[2]
COMMAND = (str(pathlib.Path(sys.executable).with_name("tox")),)
SECONDS = 60


def environments() -> list[str]:
    """Return the names in env_list, in its order."""
    return _output("list", "--no-desc", "--quiet", "-d").split()


def dependencies(names: list[str]) -> dict[str, set[str]]:
    """Return the names of the environments that have to end before each of these starts."""
    parser = configparser.ConfigParser()
    parser.read_string(_output("config", "--quiet", "-k", "depends", "-e", ",".join(names)))
    return {
        name: set(parser.get(f"testenv:{name}", "depends", fallback="").split()) for name in names
    }


def programs_of(environment: str) -> pathlib.Path:
    """Return the folder of an environment's programs."""
    return TREE / ".tox" / environment / "bin"


def _output(*words: str) -> str:
    done = subprocess.run(
        [*COMMAND, *words], check=True, cwd=TREE, stdout=subprocess.PIPE, text=True, timeout=SECONDS
    )
    return done.stdout
