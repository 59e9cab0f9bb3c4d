# SPDX-License-Identifier: Apache-2.0
"""The result of a read for one domain."""

import dataclasses
import enum
import functools
from collections.abc import Mapping
from typing import Any

from ceilometer_memballoon.reading import Stats, stats_of_bulk

#: Identifies one boot of one domain: its UUID, and libvirt's id, which changes at each boot.
Boot = tuple[str, int]

#: The virDomainState of a domain whose processors run.
RUNNING = 1


class Outcome(enum.Enum):
    """The outcome of a read for one domain."""

    READ = enum.auto()  #: the fields are complete
    BUSY = enum.auto()  #: another job holds the domain
    NOT_RESPONDING = enum.auto()  #: its QEMU process does not answer
    NOT_ASKED = enum.auto()  #: it was not asked, or there was no time for its answer
    FAILED = enum.auto()  #: libvirt reported an error


@dataclasses.dataclass(frozen=True)
class Record:
    """One running domain in one read.

    uuid: The instance's UUID.
    id: libvirt's id, which changes at each boot.
    state, state_reason: libvirt's virDomainState and its reason.
    fields: libvirt's bulk statistics by their own names. They are complete only if the outcome
        is READ.
    """

    uuid: str
    id: int
    name: str
    state: int = RUNNING
    state_reason: int = 0
    outcome: Outcome = Outcome.NOT_ASKED
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def boot(self) -> Boot:
        """The identity of one boot of one domain."""
        return self.uuid, self.id

    @property
    def is_active(self) -> bool:
        """Whether the domain runs or is paused. A domain that is shut off has the id -1."""
        return self.id >= 0

    @functools.cached_property
    def stats(self) -> Stats:
        """The balloon's part of the fields."""
        return stats_of_bulk(self.fields)

    @property
    def is_read(self) -> bool:
        """Whether the fields are complete."""
        return self.outcome is Outcome.READ

    def with_outcome(self, outcome: Outcome) -> "Record":
        """Return the record with another outcome."""
        return dataclasses.replace(self, outcome=outcome)


class Hold(enum.Enum):
    """What prevents the read of a domain."""

    NOTHING = enum.auto()
    JOB = enum.auto()  #: another job
    MONITOR = enum.auto()  #: a command that QEMU has not answered
    BROKEN = enum.auto()  #: libvirt has lost its connection to QEMU
    UNKNOWN = enum.auto()  #: libvirt does not know


@dataclasses.dataclass(frozen=True)
class Monitor:
    """The result of libvirt's controlInfo for one domain, and its duration in seconds."""

    hold: Hold
    seconds: float
