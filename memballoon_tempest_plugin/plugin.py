# SPDX-License-Identifier: Apache-2.0
"""What Tempest loads: where the tests are, and their options."""

import pathlib
from typing import Any

from tempest import config
from tempest.test_discover import plugins

from memballoon_tempest_plugin import options

PACKAGE = pathlib.Path(__file__).parent


class MemballoonTempestPlugin(plugins.TempestPlugin):
    """The plugin under the entry point ``tempest.test_plugins``."""

    def load_tests(self) -> tuple[str, str]:
        """Return the folder of the tests, and the folder from which their names start."""
        return str(PACKAGE), str(PACKAGE.parent)

    def register_opts(self, conf: Any) -> None:
        """Add the options to Tempest's."""
        for group, found in self._options():
            config.register_opt_group(conf, group, found)

    def get_opt_lists(self) -> list[tuple[str, list[Any]]]:
        """Return the options by the name of their section, for a sample configuration."""
        return [(group.name, found) for group, found in self._options()]

    def _options(self) -> list[tuple[Any, list[Any]]]:
        return [
            (config.service_available_group, options.SERVICE_AVAILABLE),
            (options.GROUP, options.MEMBALLOON),
        ]
