# SPDX-License-Identifier: Apache-2.0
"""The checks of configuration files: the agent's and Nova's."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

from oslo_upgradecheck.upgradecheck import Code, Result

from ceilometer_memballoon.cli import nova_file
from ceilometer_memballoon.cli.agent_configuration import AGENT, Configuration
from ceilometer_memballoon.cli.config_files import parsed, username
from ceilometer_memballoon.cli.installation import PERIOD, Installation
from ceilometer_memballoon.errors import FileError

#: Nova's options that the agent may share. Both services use them with the same meaning and value.
SHARED = {"DEFAULT": {"host", "debug"}, "libvirt": {PERIOD}}
#: Options that oslo.messaging registers only when the agent connects.
LATE = {"transport_url"}
MESSAGING = "oslo_messaging"
SEPARATE = (
    "Instead, give the agent a file with only this option: '[libvirt]' and '{}' in a file in "
    "/etc/ceilometer/ceilometer.conf.d/."
)


def configuration(installation: Installation) -> Result:
    """Check that the agent's configuration files can be read."""
    found = installation.configuration
    if found.problem:
        return Result(Code.FAILURE, found.problem)
    if not found.files:
        return Result(
            Code.WARNING,
            "No configuration file was found where ceilometer-polling searches, so all "
            "options have their defaults. If you start the agent with --config-file or "
            "--config-dir, give this command the same options.",
        )
    return Result(Code.SUCCESS, f"Read: {', '.join(found.files)}.")


def agent_log(installation: Installation) -> Result:
    """Check that the agent can open its log. Without it the agent does not start."""
    found = installation.configuration
    name, path = _log_path(installation.conf.log)
    if path is None:
        return Result(Code.SUCCESS, "The agent does not log to a file.")
    if _can_be_opened(path):
        return Result(Code.SUCCESS, f"{path} can be opened.")
    value, origin = installation.conf.log[name], found.origin(name)
    remedy = (
        SEPARATE.format(f"{PERIOD} = {installation.period}")
        if origin and nova_file.is_novas(origin)
        else "Allow this user to write there, or run this command as the agent's user."
    )
    return Result(
        Code.FAILURE,
        f"[DEFAULT] {name} = {value}, from {origin}: user {username()} may not write {path}, so "
        f"an agent of this user does not start (PermissionError). {remedy}",
    )


def _log_path(options: dict[str, Any]) -> tuple[str, pathlib.Path | None]:
    """Return the option that decides, and the file that oslo.log opens at start.

    The file is None if there is none.
    """
    if options["log_config_append"]:
        return "log_config_append", pathlib.Path(options["log_config_append"])
    folder, file = options["log_dir"], options["log_file"]
    if folder:
        return "log_dir", pathlib.Path(folder, file or f"{AGENT}.log")
    return "log_file", pathlib.Path(file) if file else None


def _can_be_opened(path: pathlib.Path) -> bool:
    if path.exists():
        return os.access(path, os.W_OK)
    return os.access(path.parent, os.W_OK | os.X_OK)


def nova(installation: Installation) -> Result:
    """Check what the agent reads from Nova's files, and that both have the same period."""
    ours, origin = installation.period, installation.period_origin
    foreign = list(_foreign(installation.configuration))
    if foreign:
        return Result(
            Code.WARNING,
            f"The agent also reads {', '.join(foreign)} from Nova's file. "
            + SEPARATE.format(f"{PERIOD} = {ours}"),
        )
    try:
        theirs = nova_file.read_period(installation.nova_paths)
    except FileError as error:
        if installation.nova_paths:
            raise
        return Result(Code.SUCCESS, f"Not compared: {error}.")
    if theirs.value == ours:
        return Result(Code.SUCCESS, f"Nova and the agent have the same {PERIOD}, {ours}.")
    return Result(
        Code.WARNING,
        f"{PERIOD} is {theirs.value} for Nova (from {theirs.origin}) and {ours} for the agent "
        f"(from {origin}). Nova sets its value on each guest at boot. Use one value for both.",
    )


def _foreign(found: Configuration) -> Iterator[str]:
    """Yield the options that Nova's files set for the agent and that both must not share."""
    conf: Any = found.conf
    for file in filter(nova_file.is_novas, found.files):
        for section, options in parsed(file).items():
            known = conf if section == "DEFAULT" else conf.get(section, {})
            for name in sorted(options.keys() - SHARED.get(section, set())):
                if name in known or name in LATE or section.startswith(MESSAGING):
                    yield f"[{section}] {name}"
