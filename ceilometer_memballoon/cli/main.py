# SPDX-License-Identifier: Apache-2.0
"""The command's frame: global options, the agent's configuration, errors in one line."""

import argparse
import importlib.metadata
import logging
import sys
import warnings
from typing import Any

from cliff import app, commandmanager
from oslo_config import cfg

from ceilometer_memballoon.errors import CommandError

NAME = "ceilometer-memballoon"
DESCRIPTION = (
    "What the memory meters of this compute node's guests are made from, read and judged as "
    "the polling agent does it, with the agent's own configuration."
)


class Application(app.App):  # type: ignore[misc]
    """Reads ceilometer.conf as the agent does. conf: that configuration."""

    conf: cfg.ConfigOpts

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
        """Add the agent's options for its configuration to cliff's."""
        parser: argparse.ArgumentParser = super().build_option_parser(
            description, version, *arguments, **options
        )
        parser.add_argument(
            "--config-file",
            action="append",
            default=[],
            metavar="FILE",
            help="the agent's configuration, as given to ceilometer-polling; may be repeated "
            "(default: where ceilometer-polling looks, such as /etc/ceilometer/ceilometer.conf)",
        )
        return parser

    def interact(self) -> None:
        """Without a command, show the help; a shell of its own is nothing anybody asked for."""
        self.run_subcommand(["help"])

    def initialize_app(self, argv: list[str]) -> None:
        """Read the configuration."""
        if not argv or argv[0] in ("complete", "help"):
            return
        # Ceilometer is slow to import, and 'help' and 'complete' do without it.
        from ceilometer import service  # noqa: PLC0415

        from ceilometer_memballoon import opts  # noqa: PLC0415

        files = [word for file in self.options.config_file for word in ("--config-file", file)]
        root = logging.getLogger()
        handlers = list(root.handlers)
        try:
            self.conf = service.prepare_service([NAME, *files])
        except cfg.Error as error:
            raise CommandError(f"{' '.join(str(error).split())}; see --config-file") from error
        finally:
            # oslo.log has put the agent's handlers in the place of cliff's.
            root.handlers[:] = handlers
        opts.register(self.conf)
        if not self.options.debug:
            # What the agent would log is in the command's own output.
            logging.getLogger("ceilometer_memballoon").setLevel(logging.CRITICAL)


def main(argv: list[str] | None = None) -> int:
    """The console script; the exit status."""
    if not sys.warnoptions:
        # Ceilometer's libraries warn of each other's deprecations as they are imported.
        warnings.simplefilter("ignore")
    return int(Application().run(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
