# SPDX-License-Identifier: Apache-2.0
"""The compute node and its guests, as the node's polling agent sees them."""

import contextlib
import dataclasses
import logging
from typing import Any

from ceilometer_memballoon import collector_factory
from ceilometer_memballoon import host as libvirt_host
from ceilometer_memballoon.binding import MissingBinding, libvirt
from ceilometer_memballoon.cli.columns import OK
from ceilometer_memballoon.cli.configuration import Configuration
from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.domain_xml import name_in_metadata
from ceilometer_memballoon.errors import CommandError, DomainError, NoAnswerError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.observation import Observation
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.problem_log import printable
from ceilometer_memballoon.reading import RunState, run_state

#: cliff shows what is logged at this level, in one line, on the terminal.
LOG = logging.getLogger("cliff")

#: Seconds that one question to libvirt may take, besides reading all guests.
SECONDS = 1.0
STATES = {
    RunState.RUNNING: "running",
    RunState.PAUSED: "paused",
    RunState.IO_ERROR: "paused by an I/O error",
    RunState.CRASHED: "crashed",
}
NOT_REACHED = "{}; is libvirtd running, and may this user reach it? See [DEFAULT] libvirt_uri"


@dataclasses.dataclass(frozen=True)
class Guest:
    """An observation. name: what its user called the instance, None if unknown."""

    seen: Observation
    name: str | None

    @property
    def label(self) -> str:
        """What to call it in a sentence: its name, else its domain's."""
        return printable(self.name or self.seen.record.name)

    @property
    def is_nova(self) -> bool:
        """Whether Nova made its domain, as far as is known."""
        return self.seen.facts is None or self.seen.facts.is_nova

    @property
    def not_in_rss(self) -> str | None:
        """Which of its memory does not count in memory.resident; None if all does."""
        facts = self.seen.facts
        lacks = () if facts is None else facts.rss_excludes
        return ", ".join(lacks) or None

    @property
    def verdict(self) -> str:
        """'ok', or why there is no memory.usage."""
        reason = self.seen.reading.reason
        return OK if reason is None else reason.value

    @property
    def state(self) -> str:
        """Whether it runs, in words."""
        return STATES[run_state(self.seen.record.state, self.seen.record.state_reason)]

    @property
    def period(self) -> int | None:
        """Its statistics period in seconds (0: off); None if unknown or without a balloon."""
        balloon = self.seen.balloon
        return balloon.period if balloon is not None and balloon.is_virtio else None

    def volume(self, pollster: str) -> float | None:
        """What that pollster would send now."""
        return METERS[pollster].volume(self.seen.reading)

    def is_called(self, word: str) -> bool:
        """Whether the word is its uuid or one of its names."""
        record = self.seen.record
        return word.lower() == record.uuid or word in (record.name, self.name)


class Node:
    """A compute node, read with the agent's own code and configuration."""

    def __init__(self, configuration: Configuration) -> None:
        conf: Any = configuration.conf
        if configuration.problem:
            LOG.warning(configuration.problem)
        self.rule: PeriodRule = collector_factory.period_rule(conf)
        self.host: Host = libvirt_host.from_conf(conf)
        self.collector: Collector = collector_factory.from_conf(conf, self.host)

    def close(self) -> None:
        """Close the connection to libvirt."""
        self.host.close()

    def guests(self) -> list[Guest]:
        """All running domains by name. Raises CommandError if libvirt does not answer."""
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
        """The guest with that name, uuid or unique prefix of a uuid. Raises CommandError."""
        return named(word, self.guests())

    def _names(self, seen: list[Observation]) -> dict[str, str | None]:
        names = {o.record.uuid: o.facts.display_name for o in seen if o.facts is not None}
        # The XML of a guest that was not read may have to wait for it. Its metadata do not.
        unknown = [one.record for one in seen if one.facts is None]
        with contextlib.suppress(NoAnswerError, DomainError):
            for boot, xml in self.host.nova_metadata(unknown, SECONDS).items():
                names[boot[0]] = name_in_metadata(xml)
        return names


def named(word: str, guests: list[Guest]) -> Guest:
    """The one of these guests that the word names. Raises CommandError for none and for more."""
    if not word.strip():
        raise CommandError("an empty word names no guest; see 'guest list'")
    # A name can look like the prefix of another guest's uuid.
    found = [guest for guest in guests if guest.is_called(word)] or [
        guest for guest in guests if guest.seen.record.uuid.startswith(word.lower())
    ]
    if len(found) == 1:
        return found[0]
    if found:
        uuids = ", ".join(sorted(guest.seen.record.uuid for guest in found))
        raise CommandError(f"{word} names several guests: give one of the uuids {uuids}")
    raise CommandError(f"no running domain here is called {word}; see 'guest list'")
