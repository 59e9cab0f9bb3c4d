# SPDX-License-Identifier: Apache-2.0
"""Read the polling agent's configuration, and report what could not be read."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from ceilometer import service
from oslo_config import cfg

from ceilometer_memballoon import opts
from ceilometer_memballoon.cli import config_files
from ceilometer_memballoon.cli.config_files import Words
from ceilometer_memballoon.errors import ConfigurationError

#: oslo.config searches for files with the program's name. This is the agent's name.
AGENT = "ceilometer-polling"
PROJECT = "ceilometer"
AS_AGENT = "Run this command as the agent's user, for example with 'sudo -u ceilometer'"
#: Options that would make this command open the agent's log, or fail to open it.
LOG_OPTIONS = ("log_config_append", "log_file", "log_dir", "use_syslog", "use_journal")


class AgentOpts(cfg.ConfigOpts):  # type: ignore[misc]
    """Options as the agent reads them, but without its log.

    log: the agent's values of LOG_OPTIONS.
    """

    log: dict[str, Any]

    def __call__(self, args: Sequence[str] | None = None, **how: Any) -> None:
        """Parse the files. Ceilometer calls this before it sets up logging."""
        super().__call__(args, prog=AGENT, **how)
        self.log = {name: self[name] for name in LOG_OPTIONS}
        for name in LOG_OPTIONS:
            self.set_override(name, None)


@dataclasses.dataclass(frozen=True)
class Configuration:
    """The agent's options.

    files: The files that were read. Later ones take precedence.
    unreadable: Folders that this user may not read. Their files are missing.
    """

    conf: AgentOpts
    files: list[str]
    unreadable: list[str]

    @property
    def was_read(self) -> bool:
        """Whether the options are the agent's, as far as this user can see."""
        return bool(self.files) or not self.unreadable

    @property
    def problem(self) -> str | None:
        """One line with what was not read and the remedy; None if nothing is missing."""
        if not self.unreadable:
            return None
        what = "Not all of the configuration was" if self.files else "No configuration was"
        return (
            f"{what} read: user {config_files.username()} may not read "
            f"{', '.join(self.unreadable)}. {AS_AGENT}."
        )

    def origin(self, name: str, group: str | None = None) -> str | None:
        """Return the file that sets the option; None for a default."""
        # oslo.config would name the last file that has the option's section.
        for file in reversed(self.files):
            if name in config_files.parsed(file).get(group or "DEFAULT", {}):
                return file
        found = self.conf.get_location(name, group)
        is_default = found is None or not found.location.is_user_controlled
        return None if is_default else str(found.detail or "the command line")


def read_configuration(words: Words) -> Configuration:
    """Read the agent's configuration. Raises ConfigurationError.

    words: the agent's options. Without any, oslo.config uses its default places.
    """
    conf = AgentOpts()
    handlers = list(logging.root.handlers)
    try:
        service.prepare_service([AGENT, *(word for pair in words for word in pair)], conf=conf)
        opts.register(conf)
        _read_all_options(conf)
    except cfg.ConfigFilesPermissionDeniedError as error:
        raise ConfigurationError(
            f"No configuration was read: user {config_files.username()} may not read "
            f"{', '.join(error.config_files)}. {AS_AGENT}"
        ) from error
    except Exception as error:
        # Folders, binary files and other encodings raise other errors than cfg.Error.
        raise ConfigurationError(f"{config_files.one_line(error)}; see --config-file") from error
    finally:
        # oslo.log has replaced cliff's handlers by the agent's.
        logging.root.handlers[:] = handlers
    files, folders = config_files.found(words, PROJECT, AGENT)
    return Configuration(conf, files, config_files.unreadable(folders))


def _read_all_options(conf: AgentOpts) -> None:
    # An invalid value raises when it is read.
    for group, options in opts.list_opts():
        for option in options:
            conf[group][option.dest]
