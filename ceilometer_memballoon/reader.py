# SPDX-License-Identifier: Apache-2.0
"""Read all guests of a host within a deadline, and remember how it went."""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Mapping

from ceilometer_memballoon.answers import MEMORY_GROUPS
from ceilometer_memballoon.cycle import Cycle
from ceilometer_memballoon.errors import NoAnswerError, StoppedError
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.record import Boot, Outcome, Record
from ceilometer_memballoon.trouble import Trouble

#: Shares of the timeout: for reading, so that there is time left to set periods, and for
#: each question that libvirtd answers alone.
READ_SHARE = 0.8
DAEMON_SHARE = 0.4

#: What the log's messages may be about, besides domains.
SLOW = "slow host"
BUDGET = "stuck calls"
SLOW_WARNING = (
    "libvirt is slow on this host: %s of %s guests were read in %s s, and a guest usually takes "
    "%s s. The guests take turns. Raise [memballoon] libvirt_timeout or find out what slows "
    "the host down."
)
BUDGET_WARNING = (
    "%s calls to QEMU are stuck on this host, so %s guests are not asked until some return. "
    "'virsh domcontrol DOMAIN' shows which QEMU does not answer. The limit is [memballoon] "
    "most_stuck_calls."
)


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """All running domains of a host, as one read found them.

    records: by uuid. groups: the VIR_DOMAIN_STATS_* flags that were read. taken: when the
    read began, in monotonic seconds.
    """

    records: Mapping[str, Record]
    groups: int
    taken: float


class Reader:
    """Reads the guests of one host. It remembers how fast they answer and which hang."""

    def __init__(
        self,
        host: Host,
        timeout: float,
        most_stuck: int,
        processes: QemuProcesses,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """timeout: seconds of a whole cycle. most_stuck: as [memballoon] most_stuck_calls."""
        self._host = host
        self._timeout = timeout
        self._monotonic = monotonic
        self._pause = pause
        self._pace = Pace()
        self._trouble = Trouble(host, processes, most_stuck)
        self._problems = ProblemLog()
        self._busy: set[Boot] = set()

    @property
    def host(self) -> Host:
        """The host whose guests it reads."""
        return self._host

    def read(self, groups: int = MEMORY_GROUPS) -> Snapshot:
        """Read all running domains. Raises NoAnswerError if libvirt answers nothing.

        It takes READ_SHARE of the timeout at most. Domains whose turn did not come
        are NOT_ASKED.
        """
        taken = self._monotonic()
        was_connected = self._host.is_connected
        listed = self._host.list_domains(self._timeout * DAEMON_SHARE)
        cycle = self._cycle(listed, groups, taken + self._timeout * READ_SHARE)
        self._recall(cycle)
        if not was_connected:
            # Another client's calls may be stuck since before this connection was opened.
            self._trouble.begin(taken)
        try:
            if self._trouble.since is not None:
                cycle.examine()
            cycle.read(list(cycle.found.values()))
            self._busy = cycle.read_busy_again(self._busy)
            cycle.await_parked()
        except StoppedError:
            raise
        except NoAnswerError:
            if not any(record.is_read for record in cycle.found.values()):
                raise
        self._conclude(cycle)
        return Snapshot({r.uuid: r for r in cycle.found.values()}, groups, taken)

    def read_again(
        self, records: Iterable[Record], end: float, groups: int = MEMORY_GROUPS
    ) -> list[Record]:
        """Read domains that were just read once more. Returns those that answered.

        end: when to stop, in monotonic seconds. Raises NoAnswerError.
        """
        cycle = self._cycle(records, groups, end)
        boots = set(cycle.found)
        cycle.found = {b: r.came_to(Outcome.NOT_ASKED) for b, r in cycle.found.items()}
        cycle.read(list(cycle.found.values()))
        return [r for b, r in cycle.found.items() if b in boots and r.is_read]

    def _cycle(self, records: Iterable[Record], groups: int, end: float) -> Cycle:
        return Cycle(
            host=self._host,
            pace=self._pace,
            trouble=self._trouble,
            problems=self._problems,
            groups=groups,
            end=end,
            daemon_seconds=self._timeout * DAEMON_SHARE,
            monotonic=self._monotonic,
            pause=self._pause,
            found={record.boot: record for record in records},
        )

    def _recall(self, cycle: Cycle) -> None:
        """Bring what is remembered up to date with the domains that run now."""
        self._trouble.forget_all_but(cycle.found)
        self._problems.forget_all_but({SLOW, BUDGET, *cycle.found})
        self._pace.begin_cycle()
        for read in self._trouble.take_returned():
            self._pace.learn(read.seconds, len(read.records))

    def _conclude(self, cycle: Cycle) -> None:
        """Log what went wrong, and find out whether the trouble is over."""
        records = list(cycle.found.values())
        left_out = sum(record.outcome is Outcome.NOT_ASKED for record in records)
        if left_out and self._trouble.at_budget:
            self._problems.log(
                BUDGET, logging.WARNING, BUDGET_WARNING, self._trouble.stuck, left_out, once=True
            )
        elif left_out and cycle.seconds_left <= 0:
            self._log_slow(records)
        if not left_out:
            self._problems.clear(BUDGET, "The guests are asked again: fewer calls are stuck.")
            self._problems.clear(SLOW, "libvirt is fast enough again.")
        if not left_out and not self._trouble.parked and not self._trouble.hung:
            self._trouble.end()

    def _log_slow(self, records: list[Record]) -> None:
        read = sum(record.is_read for record in records)
        seconds = f"{self._timeout * READ_SHARE:g}"
        usual = "unknown" if self._pace.usual is None else f"{self._pace.usual:.2g}"
        self._problems.log(
            SLOW, logging.WARNING, SLOW_WARNING, read, len(records), seconds, usual, once=True
        )
