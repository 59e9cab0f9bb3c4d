# SPDX-License-Identifier: Apache-2.0
"""Write to libvirt, and remember whether the host allows it."""

import contextlib
import logging
import time
from collections.abc import Callable

from ceilometer_memballoon.errors import WriteRefusedError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Record
from ceilometer_memballoon.writer import Writer

#: Seconds for which a host or a domain is not asked after it refused a write. libvirtd logs each
#: attempt as an error.
REFUSAL_SECONDS = 600
#: The number of refusals without a success after which the whole host counts as refusing.
MOST_REFUSALS = 3

#: A subject of log messages, besides boots of domains.
WRITE_ACCESS = "write access"
REFUSED = (
    "Statistics periods cannot be set: %s. Allow the agent's user to write to libvirt, "
    "or set [libvirt] mem_stats_period_seconds in nova.conf and hard-reboot the instances. "
    "The agent still reports guests that have a period."
)
REFUSED_ALONE = "Statistics period of instance %s cannot be set: %s"

Refusal = tuple[Record, WriteRefusedError]


class Attempt:
    """Sets periods until ``end``, in monotonic seconds, on one connection.

    The connection is opened at the first use, and closed with the attempt.
    done: UUIDs of the domains that were set.
    refusals: The domains that refused.
    """

    def __init__(self, host: Host, end: float) -> None:
        self.end = end
        self.done: set[str] = set()
        self.refusals: list[Refusal] = []
        self._host = host
        self._writer: Writer | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def open_writer(self, seconds: float) -> Writer:
        """Return the connection. Raises NoAnswerError, WriteRefusedError."""
        if self._writer is None:
            self._writer = self._open.enter_context(self._host.writer(seconds))
        return self._writer


class WriteAccess:
    """Distinguishes a host that refuses all writes from domains that refuse theirs."""

    def __init__(
        self, problems: ProblemLog, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """problems: where refusals are logged. A domain's subject is its boot."""
        self._problems = problems
        self._monotonic = monotonic
        self._refused_until = 0.0

    @property
    def is_refused(self) -> bool:
        """Whether the host refused recently, so that it is not asked now."""
        return self._monotonic() < self._refused_until

    def refuse(self, error: WriteRefusedError) -> None:
        """Note that the host refuses writes."""
        self._refused_until = self._monotonic() + REFUSAL_SECONDS
        self._problems.log(WRITE_ACCESS, logging.WARNING, REFUSED, error)

    def note_step(self, attempt: Attempt) -> None:
        """Note that the host refuses if MOST_REFUSALS domains have refused and none was set."""
        if not attempt.done and len(attempt.refusals) >= MOST_REFUSALS:
            self.refuse(attempt.refusals[-1][1])

    def note_end(self, attempt: Attempt) -> None:
        """Decide after an attempt whether the host refuses, or only some domains."""
        if attempt.done:
            self._problems.clear(WRITE_ACCESS, "Statistics periods can be set again.")
            for record, error in attempt.refusals:
                self._problems.log(record.boot, logging.WARNING, REFUSED_ALONE, record.uuid, error)
        elif attempt.refusals:
            self.refuse(attempt.refusals[-1][1])
