# SPDX-License-Identifier: Apache-2.0
"""Log changes of the reasons why instances have no memory.usage."""

import logging
from collections.abc import Mapping

from oslo_log import log

from ceilometer_memballoon.reasons import REMEDIES, Reason

LOG = log.getLogger(__name__)

#: The log level of each reason; INFO for all others. One warning for the whole host says why guests
#: are not asked.
LEVELS = {
    Reason.GONE: logging.DEBUG,
    Reason.BOOTING: logging.DEBUG,
    Reason.NOT_ASKED: logging.DEBUG,
    Reason.NOT_RESPONDING: logging.WARNING,
}


class ReasonLog:
    """Remembers each instance's last reason and logs only changes."""

    def __init__(self) -> None:
        self._reasons: dict[str, Reason | None] = {}

    def update(self, reasons: Mapping[str, Reason | None]) -> None:
        """Log the reasons that have changed since the last call.

        reasons: Reasons of all instances by UUID; None for one that reports. Missing instances
            are forgotten.
        """
        before = self._reasons
        self._reasons = dict(reasons)
        for uuid, reason in reasons.items():
            known = before.get(uuid)
            if reason is not known:
                _log_change(uuid, known, reason)


def _log_change(uuid: str, known: Reason | None, reason: Reason | None) -> None:
    if reason is not None:
        level = LEVELS.get(reason, logging.INFO)
        LOG.log(level, "Instance %s: no memory.usage: %s. %s", uuid, reason.value, REMEDIES[reason])
    elif known is not None:
        level = min(LEVELS.get(known, logging.INFO), logging.INFO)
        LOG.log(level, "Instance %s reports its memory again", uuid)
