# SPDX-License-Identifier: Apache-2.0
"""The result of one cycle for one running domain."""

import dataclasses

from ceilometer_memballoon.domain_xml import Balloon, DomainFacts
from ceilometer_memballoon.reading import Reading
from ceilometer_memballoon.record import Record


@dataclasses.dataclass(frozen=True)
class Observation:
    """The result of one cycle for one running domain.

    facts: from its live XML; None if the XML was not read yet.
    """

    record: Record
    facts: DomainFacts | None
    reading: Reading

    @property
    def balloon(self) -> Balloon | None:
        """The domain's balloon; None if its XML was not read yet."""
        return None if self.facts is None else self.facts.balloon
