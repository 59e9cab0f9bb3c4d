# SPDX-License-Identifier: Apache-2.0
"""The compute node and its guests, as the node's polling agent sees them."""

import contextlib
import dataclasses
import logging
from typing import Any

from ceilometer_memballoon import collector_factory
from ceilometer_memballoon import host as libvirt_host
from ceilometer_memballoon.binding import MissingBinding, libvirt
from ceilometer_memballoon.cli.agent_configuration import Configuration
from ceilometer_memballoon.cli.columns import OK
from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.domain_xml import name_in_metadata
from ceilometer_memballoon.errors import CommandError, DomainError, NoAnswerError
from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.observation import Observation
from ceilometer_memballoon.problem_log import printable
from ceilometer_memballoon.reading import RunState, run_state

#: cliff prints warnings of this logger in one line on the terminal.
LOG = logging.getLogger("cliff")

#: Seconds that one question to libvirt may take, except reading all guests.
SECONDS = 1.0
STATES = {
    RunState.RUNNING: "running",
    RunState.PAUSED: "paused",
    RunState.IO_ERROR: "paused by an I/O error",
    RunState.CRASHED: "crashed",
}
NOT_REACHED = (
    "{}. Check that libvirtd is running and that this user can reach it. See [DEFAULT] libvirt_uri"
)


@dataclasses.dataclass(frozen=True)
class Guest:
    """An observation of a guest. name: the instance's name that the user chose; None if unknown."""

    seen: Observation
    name: str | None

    @property
    def label(self) -> str:
        """The guest's name in sentences: the instance's name, else the domain's."""
        return printable(self.name or self.seen.record.name)

    @property
    def is_nova(self) -> bool:
        """Whether Nova created the domain, as far as known."""
        return self.seen.facts is None or self.seen.facts.is_nova

    @property
    def not_in_rss(self) -> str | None:
        """The guest's memory that is not in memory.resident; None if there is none."""
        facts = self.seen.facts
        lacks = () if facts is None else facts.rss_excludes
        return ", ".join(lacks) or None

    @property
    def verdict(self) -> str:
        """'ok', or the reason why there is no memory.usage."""
        reason = self.seen.reading.reason
        return OK if reason is None else reason.value

    @property
    def state(self) -> str:
        """The state of the guest's processors in words."""
        return STATES[run_state(self.seen.record.state, self.seen.record.state_reason)]

    @property
    def period(self) -> int | None:
        """The statistics period in seconds (0: off); None if unknown or without a balloon."""
        balloon = self.seen.balloon
        return balloon.period if balloon is not None and balloon.is_virtio else None

    def volume(self, pollster: str) -> float | None:
        """Return the volume that this pollster would send now; None if there is no sample."""
        return METERS[pollster].volume(self.seen.reading)

    def is_named(self, word: str) -> bool:
        """Return whether the word is the guest's UUID or one of its names."""
        record = self.seen.record
        return word.lower() == record.uuid or word in (record.name, self.name)


class ComputeNode:
    """A compute node, read with the agent's own code and configuration."""

    def __init__(self, configuration: Configuration) -> None:
        conf: Any = configuration.conf
        if configuration.problem:
            LOG.warning(configuration.problem)
        self.rule = collector_factory.period_rule(conf)
        self.host = libvirt_host.from_conf(conf)
        self.collector: Collector = collector_factory.from_conf(conf, self.host)

    def close(self) -> None:
        """Close the connection to libvirt."""
        self.host.close()

    def guests(self) -> list[Guest]:
        """Return all running domains, by name. Raises CommandError if libvirt does not answer."""
        if isinstance(libvirt, MissingBinding):
            raise CommandError(libvirt.message)
        try:
            seen = self.collector.observe(enable=False)
        except NoAnswerError as error:
            raise CommandError(NOT_REACHED.format(error)) from error
        names = self._names(seen)
        return [
            Guest(one, names.get(one.record.uuid))
            for one in sorted(seen, key=lambda one: one.record.name)
        ]

    @property
    def period(self) -> int:
        """The option's statistics period in seconds."""
        return self.rule.period

    def guest(self, word: str) -> Guest:
        """Return the guest with that name, UUID or unique UUID prefix. Raises CommandError."""
        return find_guest(word, self.guests())

    def _names(self, seen: list[Observation]) -> dict[str, str | None]:
        names = {o.record.uuid: o.facts.display_name for o in seen if o.facts is not None}
        # Reading the XML of such a guest may wait for the guest. Reading its metadata does not.
        unknown = [one.record for one in seen if one.facts is None]
        with contextlib.suppress(NoAnswerError, DomainError):
            for boot, xml in self.host.nova_metadata(unknown, SECONDS).items():
                names[boot[0]] = name_in_metadata(xml)
        return names


def find_guest(word: str, guests: list[Guest]) -> Guest:
    """Return the guest that the word names. Raises CommandError for none and for several."""
    if not word.strip():
        raise CommandError("the guest's name is empty. See 'guest list'")
    # A name can look like the prefix of another guest's UUID.
    found = [guest for guest in guests if guest.is_named(word)] or [
        guest for guest in guests if guest.seen.record.uuid.startswith(word.lower())
    ]
    if len(found) == 1:
        return found[0]
    if found:
        uuids = ", ".join(sorted(guest.seen.record.uuid for guest in found))
        raise CommandError(f"{word} names several guests. Use one of the UUIDs {uuids}")
    raise CommandError(f"no running domain on this node matches {word}. See 'guest list'")
