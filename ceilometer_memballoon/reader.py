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
#: each question that libvirtd answers alone, and for those that are still open when
#: reading has to end.
READ_SHARE = 0.8
DAEMON_SHARE = 0.4
LAST_SHARE = 0.1

#: What the log's messages may be about, besides domains.
SLOW = "slow host"
BUDGET = "stuck calls"
CUT_SHORT = "cut short"
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
CUT_SHORT_WARNING = "%s of %s guests were read before libvirt gave no answer: %s"


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

        It takes READ_SHARE and LAST_SHARE of the timeout at most. Domains whose turn did
        not come are NOT_ASKED.
        """
        taken = self._monotonic()
        was_connected = self._host.is_connected
        listed = self._host.list_domains(self._timeout * DAEMON_SHARE)
        cycle = self._cycle(listed, groups, taken, taken + self._timeout * READ_SHARE)
        self._recall(cycle)
        if self._trouble.parked or not was_connected:
            # Another client's calls may be stuck since before this connection was opened.
            self._trouble.begin(taken)
        try:
            self._read_all(cycle)
        except StoppedError:
            raise
        except NoAnswerError as error:
            if not any(record.is_read for record in cycle.found.values()):
                raise
            self._log_cut_short(list(cycle.found.values()), error)
        else:
            self._problems.clear(CUT_SHORT)
            self._log_left_out(cycle)
        finally:
            cycle.leave_parked()
        self._trouble.end_if_over()
        return Snapshot({r.uuid: r for r in cycle.found.values()}, groups, taken)

    def read_again(
        self, records: Iterable[Record], end: float, groups: int = MEMORY_GROUPS
    ) -> list[Record]:
        """Read domains that were just read once more. Returns those that answered.

        end: when to stop, in monotonic seconds. Raises NoAnswerError.
        """
        cycle = self._cycle(records, groups, self._monotonic(), end)
        boots = set(cycle.found)
        cycle.found = {b: r.came_to(Outcome.NOT_ASKED) for b, r in cycle.found.items()}
        try:
            cycle.read(list(cycle.found.values()))
            cycle.await_parked()
        finally:
            cycle.leave_parked()
        return [r for b, r in cycle.found.items() if b in boots and r.is_read]

    def _read_all(self, cycle: Cycle) -> None:
        if self._trouble.since is not None:
            cycle.examine()
        cycle.read(list(cycle.found.values()))
        self._busy = cycle.read_busy_again(self._busy)
        while cycle.await_parked():
            cycle.read(cycle.unasked)

    def _cycle(self, records: Iterable[Record], groups: int, taken: float, end: float) -> Cycle:
        return Cycle(
            host=self._host,
            pace=self._pace,
            trouble=self._trouble,
            problems=self._problems,
            groups=groups,
            taken=taken,
            end=end,
            last=end + self._timeout * LAST_SHARE,
            longest_question=self._timeout * DAEMON_SHARE,
            monotonic=self._monotonic,
            pause=self._pause,
            found={record.boot: record for record in records},
        )

    def _recall(self, cycle: Cycle) -> None:
        """Bring what is remembered up to date with the domains that run now."""
        self._trouble.forget_all_but(cycle.found)
        self._problems.forget_all_but({SLOW, BUDGET, CUT_SHORT, *cycle.found})
        self._pace.begin_cycle()
        for read in self._trouble.take_returned():
            # A guest that takes longer than a whole cycle is not slow: it hung.
            if read.seconds <= self._timeout:
                self._pace.learn(read.seconds, len(read.records))

    def _log_left_out(self, cycle: Cycle) -> None:
        """Log why guests were not asked."""
        left_out = len(cycle.unasked)
        if not left_out:
            self._problems.clear(BUDGET, "The guests are asked again: fewer calls are stuck.")
            self._problems.clear(SLOW, "libvirt is fast enough again.")
        elif self._trouble.at_budget or cycle.seconds_left > 0:
            stuck = max(self._trouble.stuck, self._host.stuck_calls)
            self._problems.log(BUDGET, logging.WARNING, BUDGET_WARNING, stuck, left_out, once=True)
        else:
            self._log_slow(list(cycle.found.values()))

    def _log_cut_short(self, records: list[Record], error: NoAnswerError) -> None:
        read = sum(record.is_read for record in records)
        self._problems.log(
            CUT_SHORT, logging.WARNING, CUT_SHORT_WARNING, read, len(records), error, once=True
        )

    def _log_slow(self, records: list[Record]) -> None:
        read = sum(record.is_read for record in records)
        seconds = f"{self._timeout * READ_SHARE:g}"
        usual = "unknown" if self._pace.usual is None else f"{self._pace.usual:.2g}"
        self._problems.log(
            SLOW, logging.WARNING, SLOW_WARNING, read, len(records), seconds, usual, once=True
        )
