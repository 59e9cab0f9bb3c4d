# SPDX-License-Identifier: Apache-2.0
"""A read-write connection for one purpose."""

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.connection import Connection
from ceilometer_memballoon.record import Record


class Writer:
    """A read-write connection that only sets statistics periods."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_period(self, record: Record, period: int, seconds: float) -> None:
        """Set the balloon's statistics period, in seconds, on the running domain.

        Raises NoAnswerError, DomainGoneError, WriteRefusedError, DomainError.
        """
        self._connection.ask_domain(
            record.uuid,
            record.id,
            lambda domain: domain.setMemoryStatsPeriod(period, libvirt.VIR_DOMAIN_AFFECT_LIVE),
            seconds,
        )
