# SPDX-License-Identifier: Apache-2.0
"""What a read of libvirt says of one domain."""

import dataclasses
import enum
import functools
from collections.abc import Mapping
from typing import Any

from ceilometer_memballoon.reading import Stats, stats_of_bulk

#: Identifies one boot of one domain: its uuid, and libvirt's id, another one at each boot.
Boot = tuple[str, int]

#: virDomainState of a domain whose processors run.
RUNNING = 1


class Outcome(enum.Enum):
    """What a read of one domain came to."""

    READ = enum.auto()  #: its fields are complete
    BUSY = enum.auto()  #: somebody else holds its job
    NOT_RESPONDING = enum.auto()  #: its QEMU does not answer
    NOT_ASKED = enum.auto()  #: it was not asked, or there was no time for its answer
    FAILED = enum.auto()  #: libvirt reported an error


@dataclasses.dataclass(frozen=True)
class Record:
    """One running domain as a read found it.

    uuid: the instance's. id: libvirt's, another one at each boot. state and
    state_reason: libvirt's virDomainState and its reason. fields: libvirt's bulk
    statistics under its own names, complete only if the outcome is READ.
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
        """Identify one boot of one domain."""
        return self.uuid, self.id

    @property
    def is_active(self) -> bool:
        """Whether the domain runs, or is paused. A domain that is shut off has the id -1."""
        return self.id >= 0

    @functools.cached_property
    def stats(self) -> Stats:
        """The balloon's part of the fields."""
        return stats_of_bulk(self.fields)

    @property
    def is_read(self) -> bool:
        """Whether the fields are complete."""
        return self.outcome is Outcome.READ

    def came_to(self, outcome: Outcome) -> "Record":
        """The record with another outcome."""
        return dataclasses.replace(self, outcome=outcome)


class Hold(enum.Enum):
    """What keeps a domain from being read."""

    NOTHING = enum.auto()
    JOB = enum.auto()  #: another job
    MONITOR = enum.auto()  #: a command that QEMU has not answered
    BROKEN = enum.auto()  #: libvirt has lost its connection to QEMU
    UNKNOWN = enum.auto()  #: libvirt cannot tell


@dataclasses.dataclass(frozen=True)
class Monitor:
    """What libvirt's controlInfo says of one domain, and for how many seconds it has held."""

    hold: Hold
    seconds: float
