# SPDX-License-Identifier: Apache-2.0
"""Decide which statistics period a domain should have. Pure."""

import dataclasses

from ceilometer_memballoon.domain_xml import DomainFacts

#: The longest period that libvirt accepts, in seconds (virDomainSetMemoryStatsPeriod: int).
MOST_SECONDS = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class PeriodRule:
    """The configuration's rule about statistics periods.

    period: [libvirt] mem_stats_period_seconds. At zero or below no guest is changed.
    chosen: Whether a configuration file sets the option. Then it overrides the periods
        that others chose.
    may_set: [memballoon] set_periods.
    """

    period: int
    chosen: bool = True
    may_set: bool = True

    @property
    def is_too_long(self) -> bool:
        """Whether libvirt does not accept the period."""
        return self.period > MOST_SECONDS

    @property
    def is_usable(self) -> bool:
        """Whether a guest can have the period."""
        return self.period > 0 and not self.is_too_long

    def changes(self, facts: DomainFacts) -> bool:
        """Return whether this domain's period has to be set.

        Domains that Nova did not create are never changed.
        """
        if not (self.may_set and self.is_usable):
            return False
        if not (facts.is_nova and facts.balloon.is_virtio):
            return False
        return self.differs(facts.balloon.period)

    def differs(self, period: int) -> bool:
        """Return whether a balloon with this period in seconds should have another one."""
        return period != self.period if self.chosen else period <= 0
