# SPDX-License-Identifier: Apache-2.0
"""Decide which domains are asked now, and when a failed one is asked again."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator

from ceilometer_memballoon.errors import (
    DomainGoneError,
    StoppedError,
    TooManyStuckCallsError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.record import Boot, Record
from ceilometer_memballoon.write_access import REFUSAL_SECONDS, Refusal

#: Seconds for which a domain is not asked after an error or a missing answer.
RETRY_SECONDS = 60


class Retries:
    """Remembers when each domain was asked, and until when it is not asked."""

    def __init__(
        self, problems: ProblemLog, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """problems: where each domain's failures are logged, with its boot as the subject."""
        self._problems = problems
        self._monotonic = monotonic
        self._asked: dict[Boot, float] = {}
        self._not_before: dict[Boot, float] = {}

    def is_due(self, record: Record) -> bool:
        """Return whether the domain may be asked now."""
        return self._monotonic() >= self._not_before.get(record.boot, 0.0)

    def in_order(self, records: Iterable[Record]) -> list[Record]:
        """Return the domains that were read and are due, the longest waiting first."""
        return sorted(
            (record for record in records if record.is_read and self.is_due(record)),
            key=lambda record: self._asked.get(record.boot, 0.0),
        )

    def forget_all_but(self, boots: set[Boot]) -> None:
        """Forget the domains that no longer run."""
        for known in (self._asked, self._not_before):
            for boot in known.keys() - boots:
                del known[boot]

    @contextlib.contextmanager
    def handle_failures(
        self, record: Record, message: str, refusals: list[Refusal] | None = None
    ) -> Iterator[None]:
        """Log a failure in the context, and do not ask the domain for a while.

        refusals: Receives refused writes. Raises StoppedError, UnreachableError and
            TooManyStuckCallsError, which concern the whole host.
        """
        self._asked[record.boot] = self._monotonic()
        try:
            yield
        except (StoppedError, UnreachableError, TooManyStuckCallsError):
            raise
        except DomainGoneError as error:
            self._problems.log(record.boot, logging.DEBUG, message, record.uuid, error)
        except WriteRefusedError as error:
            self._postpone(record, REFUSAL_SECONDS)
            if refusals is not None:
                refusals.append((record, error.without_traceback()))
        except Exception as error:
            # The failure of one domain must not affect the others.
            self._postpone(record, RETRY_SECONDS)
            self._problems.log(record.boot, logging.WARNING, message, record.uuid, error)
        else:
            self._problems.clear(record.boot)

    def _postpone(self, record: Record, seconds: float) -> None:
        self._not_before[record.boot] = self._monotonic() + seconds
