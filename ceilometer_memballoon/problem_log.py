# SPDX-License-Identifier: Apache-2.0
"""Log a problem when it starts or changes, and not each time it occurs."""

from collections.abc import Hashable

from oslo_log import log

LOG = log.getLogger("ceilometer_memballoon")


class ProblemLog:
    """Remembers the last problem of each subject and logs only changes."""

    def __init__(self) -> None:
        self._last: dict[Hashable, str] = {}

    def log(
        self,
        about: Hashable,
        level: int,
        message: str,
        *arguments: object,
        trace: bool = False,
        once: bool = False,
    ) -> None:
        """Log the message unless it is the last one about this subject.

        about: The subject.
        message: A constant template with %s for each argument.
        trace: Whether to log the exception's traceback.
        once: Whether to log nothing if the subject already has a problem.
        Control characters in the arguments are escaped, so that a guest's name cannot forge a
        log line.
        """
        shown = tuple(printable(argument) for argument in arguments)
        text = message % shown
        if once and about in self._last:
            return
        if self._last.get(about) != text:
            self._last[about] = text
            LOG.log(level, message, *shown, exc_info=trace)

    def clear(self, about: Hashable, message: str = "", *arguments: object) -> None:
        """Clear the problem and log its end."""
        if self._last.pop(about, None) is not None and message:
            LOG.info(message, *(printable(argument) for argument in arguments))

    def forget_all_but(self, kept: "set[Hashable]") -> None:
        """Forget the problems of all other subjects."""
        self._last = {about: text for about, text in self._last.items() if about in kept}


def printable(argument: object) -> str:
    """Return the argument as text on one line, with control characters escaped."""
    text = str(argument)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
