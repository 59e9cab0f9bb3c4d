# SPDX-License-Identifier: Apache-2.0
"""libvirt's Python binding, or a stand-in where it is not installed.

A distribution's ceilometer-agent-compute does not always install the binding. With the stand-in
the agent and the command load as usual. Every question to libvirt then raises UnreachableError
with the name of the missing package.
"""

import functools
import importlib
import logging
from typing import Any, NoReturn

from ceilometer_memballoon.errors import UnreachableError

LOG = logging.getLogger(__name__)

MISSING = (
    "libvirt's Python binding is missing (%s): install the package python3-libvirt, or "
    "libvirt-python from PyPI"
)


class MissingError(Exception):
    """Replaces libvirtError. It is never raised."""


class MissingBinding:
    """Has every name of the binding. Constants are 0, and calls raise UnreachableError."""

    def __init__(self, error: ImportError) -> None:
        self.message = MISSING % error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("VIR_"):
            return 0
        kinds: dict[str, Any] = {
            "libvirtError": MissingError,
            "virConnect": object,
            "virDomain": object,
            "registerErrorHandler": lambda *handler: None,
        }
        return kinds.get(name, self._refuse)

    def _refuse(self, *arguments: Any) -> NoReturn:
        raise UnreachableError(self.message)


def _load() -> Any:
    try:
        return importlib.import_module("libvirt")
    except ImportError as error:
        return MissingBinding(error)


libvirt = _load()


@functools.cache
def log_if_missing() -> None:
    """Log once in this process that the binding is missing, if it is."""
    if isinstance(libvirt, MissingBinding):
        LOG.error("No statistics from libvirt: %s", libvirt.message)
