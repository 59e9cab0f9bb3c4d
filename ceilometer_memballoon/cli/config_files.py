# SPDX-License-Identifier: Apache-2.0
"""The files from which oslo.config reads options."""

import getpass
import glob
import os
from collections.abc import Iterator, Sequence

from oslo_config import cfg

#: The folders that oslo.config searches first for Ceilometer's files.
FOLDERS = ("~/.ceilometer", "/etc/ceilometer")

#: --config-file or --config-dir, and its value, in the order in which they take effect.
Words = Sequence[tuple[str, str]]


def found(words: Words, project: str, program: str) -> tuple[list[str], list[str]]:
    """Return the files that oslo.config reads, and the folders. Later files take precedence.

    words: the options that the program was given. project, program: their names.
    """
    given = {option for option, _ in words}
    pairs = list(words)
    if "--config-dir" not in given:
        pairs[:0] = [("--config-dir", path) for path in cfg.find_config_dirs(project, program)]
    if "--config-file" not in given:
        pairs[:0] = [("--config-file", path) for path in cfg.find_config_files(project, program)]
    folders = [os.path.expanduser(path) for option, path in pairs if option == "--config-dir"]
    return list(_files(pairs)), folders


def _files(words: Words) -> Iterator[str]:
    for option, path in words:
        name = os.path.expanduser(path)
        if option == "--config-file":
            yield name
        else:
            yield from sorted(glob.glob(os.path.join(name, "*.conf")))


def unreadable(folders: Sequence[str]) -> list[str]:
    """Return Ceilometer's folders that this user may not read. oslo.config ignores them silently.

    folders: further folders to check.
    """
    usual = [folder for folder in map(os.path.expanduser, FOLDERS) if os.path.isdir(folder)]
    hidden = [folder for folder in usual if not os.access(folder, os.X_OK)]
    return hidden + [folder for folder in folders if not os.access(folder, os.R_OK | os.X_OK)]


def parsed(file: str) -> dict[str, dict[str, list[str]]]:
    """Return the file's values by section and option. Raises OSError, ValueError, cfg.Error."""
    sections: dict[str, dict[str, list[str]]] = {}
    cfg.ConfigParser(file, sections).parse()
    return sections


def username() -> str:
    """Return the name of the user who runs this process, or the user id if there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def one_line(error: BaseException) -> str:
    """Return the error's message without line breaks, or its type if it has no message."""
    return " ".join(str(error).split()) or type(error).__name__
