# SPDX-License-Identifier: Apache-2.0
"""The command 'check', which checks the installation on this compute node."""

import argparse
import contextlib
import functools
from collections.abc import Callable, Sequence

from cliff import command
from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands

from ceilometer_memballoon.cli import (
    check_exporter,
    check_files,
    check_gnocchi,
    check_node,
    check_polling,
)
from ceilometer_memballoon.cli.compute_node import ComputeNode
from ceilometer_memballoon.cli.config_files import one_line
from ceilometer_memballoon.cli.installation import POLLSTERS, READ, Installation
from ceilometer_memballoon.errors import ConfigurationError, MemballoonError, NotCheckedError

CHECKS: Sequence[tuple[str, Callable[[Installation], Result]]] = (
    ("Configuration", check_files.configuration),
    ("The agent's log", check_files.agent_log),
    (READ, check_node.read_access),
    ("libvirt, to set periods", check_node.write_access),
    ("Statistics period", check_node.option),
    ("Guests' periods", check_node.periods),
    ("Nova's configuration", check_files.nova),
    (POLLSTERS, check_polling.pollsters),
    ("Polling interval", check_polling.interval),
    ("Other libvirt pollsters", check_polling.isolation),
    ("Gnocchi", check_gnocchi.meters),
    ("Prometheus exporter", check_exporter.exporter),
)


class Check(command.Command):  # type: ignore[misc]
    """Check this node's installation: configuration, libvirt, periods, polling, Gnocchi.

    The command changes nothing. Run it as the agent's user, because it checks the rights of the
    user who runs it. To check whether periods can be set, it sets one guest's period to the
    value that the guest already has. Exit status: 0 if all checks pass, 1 after a warning, 2
    after a failure, such as an unreadable file.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the option for Nova's configuration."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--nova-config",
            action="append",
            default=[],
            metavar="FILE|DIR",
            help="Nova's configuration to compare with; may be repeated (default: the files "
            "that nova-compute reads, such as /etc/nova/nova.conf and /etc/nova/nova.conf.d)",
        )
        return parser

    def take_action(self, arguments: argparse.Namespace) -> int:
        """Print the results. Return the exit status."""
        try:
            configuration = self.app.configuration
        except ConfigurationError as error:
            return _print(("Configuration", functools.partial(_nothing_else, f"{error}.")))
        if not configuration.was_read:
            problem = str(configuration.problem)
            return _print(("Configuration", functools.partial(_nothing_else, problem)))
        with contextlib.closing(ComputeNode(configuration)) as node:
            installation = Installation(configuration, node, arguments.nova_config)
            checks = [(name, functools.partial(check, installation)) for name, check in CHECKS]
            return _print(*checks)


def _nothing_else(problem: str) -> Result:
    return Result(Code.FAILURE, f"{problem} Nothing else was checked.")


def _print(*checks: tuple[str, Callable[[], Result]]) -> int:
    table = Table()
    table._upgrade_checks = tuple((name, functools.partial(_run, check)) for name, check in checks)
    return int(table.check())


def _run(check: Callable[[], Result], table: "Table") -> Result:
    """Return the check's result. An exception fails only this check."""
    try:
        return check()
    except NotCheckedError as error:
        return Result(Code.WARNING, str(error))
    except MemballoonError as error:
        return Result(Code.FAILURE, f"{error}.")
    except Exception as error:
        return Result(Code.FAILURE, f"This check failed: {type(error).__name__}: {one_line(error)}")


class Table(UpgradeCommands):  # type: ignore[misc]
    """Runs the checks and prints their results like OpenStack's 'status upgrade check'."""

    display_title = "Installation of ceilometer-memballoon"
