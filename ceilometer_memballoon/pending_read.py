# SPDX-License-Identifier: Apache-2.0
"""A read of several domains that has not ended, and its connection."""

from collections.abc import Sequence

from ceilometer_memballoon.call import Call
from ceilometer_memballoon.connection import Connection
from ceilometer_memballoon.record import Boot, Record


class Read:
    """A running read of some domains.

    asked: the boots that libvirt asks, in order, with one list for each of its calls.
    """

    def __init__(
        self,
        records: list[Record],
        asked: Sequence[Sequence[Boot]],
        call: Call[list[Record]],
        connection: Connection,
    ) -> None:
        self.records = records
        self.asked = asked
        self._call = call
        self._connection = connection

    @property
    def returned(self) -> bool:
        """Whether the answer or an error has arrived."""
        return self._call.returned

    def wait(self, seconds: float) -> bool:
        """Wait at most this many seconds. Return whether the read has ended.

        Raises StoppedError.
        """
        return self._call.wait(seconds)

    @property
    def seconds(self) -> float:
        """How long the read took, or has taken so far, in seconds."""
        return self._call.seconds

    def park(self) -> None:
        """Reserve the connection for this read, because QEMU answers late."""
        self._connection.mark_stuck()

    def leave(self) -> bool:
        """Stop waiting. Return False if the answer has arrived in the meantime."""
        return self._call.leave()

    def result(self) -> list[Record]:
        """Return the records of the domains that still run. Raises NoAnswerError, DomainError."""
        try:
            return self._call.result()
        except Exception as error:
            raise self._connection.error_of(error) from error

    def close(self, seconds: float) -> None:
        """Close the connection of a parked read that has returned."""
        self._connection.mark_usable()
        self._connection.close(seconds)
