# SPDX-License-Identifier: Apache-2.0
"""Nova's own configuration on this node, as far as this user may read it."""

import dataclasses
import os
import pathlib

from oslo_config import cfg

from ceilometer_memballoon import opts
from ceilometer_memballoon.cli.config_files import one_line
from ceilometer_memballoon.errors import FileError

PROJECT, PROGRAM = "nova", "nova-compute"
#: The folder of Nova's files in all distributions.
FOLDER = "/etc/nova"
PERIOD = "mem_stats_period_seconds"


@dataclasses.dataclass(frozen=True)
class NovaPeriod:
    """Nova's period in seconds. origin: the file that sets it, or 'default'."""

    value: int
    origin: str


def is_novas(file: str) -> bool:
    """Return whether the file belongs to Nova, by its name or its folder."""
    path = pathlib.Path(file)
    return path.name.startswith("nova") or any(
        part in ("nova", "nova.conf.d") for part in path.parts[:-1]
    )


def read_period(paths: list[str]) -> NovaPeriod:
    """Read Nova's statistics period. Raises FileError.

    paths: files and folders. If there are none, the files that nova-compute reads are used.
    """
    if not paths and not _is_there():
        raise FileError("Nova's configuration was not found on this node")
    conf = cfg.ConfigOpts()
    try:
        _parse(conf, paths)
        conf.register_opts(opts.LIBVIRT_OPTS, group="libvirt")
        found = conf.get_location(PERIOD, "libvirt")
        is_set = found is not None and found.location.is_user_controlled
        value = int(conf.libvirt.mem_stats_period_seconds)
    except Exception as error:
        # Folders, binary files and other encodings raise other errors than cfg.Error.
        raise FileError(f"Nova's configuration cannot be read: {one_line(error)}") from error
    return NovaPeriod(value, str(found.detail) if is_set else "default")


def _parse(conf: cfg.ConfigOpts, paths: list[str]) -> None:
    conf(
        [word for path in paths for word in (_option(path), path)],
        project=PROJECT,
        prog=PROGRAM,
        use_env=False,
        # None selects oslo.config's default places.
        default_config_files=[] if paths else None,
        default_config_dirs=[] if paths else None,
    )


def _option(path: str) -> str:
    return "--config-dir" if os.path.isdir(path) else "--config-file"


def _is_there() -> bool:
    """Return whether nova-compute would find a file.

    Raises FileError if this user may not search the folder.
    """
    if os.path.isdir(FOLDER) and not os.access(FOLDER, os.X_OK):
        raise FileError(f"this user may not read {FOLDER}")
    return bool(cfg.find_config_files(PROJECT, PROGRAM) or cfg.find_config_dirs(PROJECT, PROGRAM))
