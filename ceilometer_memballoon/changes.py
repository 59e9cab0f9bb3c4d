# SPDX-License-Identifier: Apache-2.0
"""Log what is the matter with a thing when it changes, not each time it is met."""

import logging
from collections.abc import Hashable

from oslo_log import log

LOG = log.getLogger("ceilometer_memballoon")


class Changes:
    """Remembers the last message about each thing."""

    def __init__(self) -> None:
        self._last: dict[Hashable, str] = {}

    def log(
        self,
        about: Hashable,
        level: int,
        message: str,
        *arguments: object,
        trace: bool = False,
    ) -> None:
        """Log the message, with the exception's trace on demand, unless it was the last one.

        Arguments are put in as %s; control characters in them, which a guest's name
        may bring along, are escaped so that they cannot forge lines.
        """
        text = message % tuple(printable(argument) for argument in arguments)
        if self._last.get(about) != text:
            self._last[about] = text
            LOG.log(level, "%s", text, exc_info=trace)

    def clear(self, about: Hashable, message: str = "", *arguments: object) -> None:
        """Nothing is the matter any more; log the message if something was."""
        if self._last.pop(about, None) is not None and message:
            text = message % tuple(printable(argument) for argument in arguments)
            LOG.log(logging.INFO, "%s", text)

    def forget_all_but(self, kept: "set[Hashable]") -> None:
        """Drop what is remembered of all other things."""
        self._last = {about: text for about, text in self._last.items() if about in kept}


def printable(argument: object) -> str:
    """Text that keeps to its line: control characters are escaped as Python writes them."""
    text = str(argument)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
