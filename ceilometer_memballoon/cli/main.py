# SPDX-License-Identifier: Apache-2.0
"""The command's application: global options, the agent's configuration, one-line errors."""

import argparse
import functools
import importlib.metadata
import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any

from cliff import app, commandmanager

if TYPE_CHECKING:
    from ceilometer_memballoon.cli.agent_configuration import Configuration

NAME = "ceilometer-memballoon"
DESCRIPTION = (
    "Show the memory of this compute node's guests, and why some guests report none. The "
    "command reads and judges the guests like the polling agent, with the agent's "
    "configuration."
)
INTERRUPTED = 130


class Application(app.App):  # type: ignore[misc]
    """The command ceilometer-memballoon."""

    def __init__(self) -> None:
        super().__init__(
            description=DESCRIPTION,
            version=importlib.metadata.version(NAME),
            command_manager=commandmanager.CommandManager("ceilometer_memballoon.commands"),
            deferred_help=True,
        )

    def build_option_parser(
        self, description: str | None, version: str | None, *arguments: Any, **options: Any
    ) -> argparse.ArgumentParser:
        """Add the options for the agent's configuration to cliff's options."""
        parser: argparse.ArgumentParser = super().build_option_parser(
            description, version, *arguments, **options
        )
        for name, metavar, what in (
            ("--config-file", "FILE", "a configuration file of the agent"),
            ("--config-dir", "DIR", "a folder of the agent's configuration files"),
        ):
            parser.add_argument(
                name,
                action="append",
                dest="agent_options",
                default=[],
                # The order of both options matters, because later files take precedence.
                type=functools.partial(_pair, name),
                metavar=metavar,
                help=f"{what}, as given to ceilometer-polling; may be repeated (default: the "
                "files that ceilometer-polling reads, such as /etc/ceilometer/ceilometer.conf, "
                "ceilometer-polling.conf and ceilometer.conf.d)",
            )
        return parser

    def interact(self) -> None:
        """Show the help instead of cliff's interactive shell."""
        self.run_subcommand(["help"])

    @functools.cached_property
    def configuration(self) -> "Configuration":
        """The agent's configuration, read when first needed. Raises ConfigurationError."""
        # Ceilometer is slow to import, and 'help' and 'complete' do not need it.
        from ceilometer_memballoon.cli import agent_configuration  # noqa: PLC0415

        if not self.options.debug:
            # The command's own output has what the agent would log.
            logging.getLogger("ceilometer_memballoon").setLevel(logging.CRITICAL)
        return agent_configuration.read_configuration(self.options.agent_options)


def _pair(name: str, value: str) -> tuple[str, str]:
    return name, value


def main(argv: list[str] | None = None) -> int:
    """Run the console script. Return the exit status."""
    if not sys.warnoptions:
        # Ceilometer's libraries warn about each other's deprecations when they are imported.
        warnings.simplefilter("ignore")
    try:
        return int(Application().run(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
