# SPDX-License-Identifier: Apache-2.0
"""Read all guests of a host within a deadline, and remember which ones are slow or hang."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping

from ceilometer_memballoon.answers import MEMORY_GROUPS
from ceilometer_memballoon.cycle import Cycle
from ceilometer_memballoon.cycle_clock import CycleClock
from ceilometer_memballoon.errors import NoAnswerError, StoppedError
from ceilometer_memballoon.findings import Findings
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.late_reads import LateReads
from ceilometer_memballoon.pace import Pace
from ceilometer_memballoon.problem_log import ProblemLog
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.read_warnings import SUBJECTS, ReadWarnings
from ceilometer_memballoon.record import Boot, Outcome, Record
from ceilometer_memballoon.trouble import Trouble

#: The share of the timeout for reading guests. The rest is for setting periods.
READ_SHARE = 0.8
#: The share for one question that libvirtd answers alone, and for one that is open at the end.
DAEMON_SHARE = 0.4
LAST_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """All running domains of a host in one read.

    records: Records by UUID.
    groups: The VIR_DOMAIN_STATS_* flags that were read.
    taken: When the read started, in monotonic seconds.
    """

    records: Mapping[str, Record]
    groups: int
    taken: float


class Reader:
    """Reads the guests of one host. It remembers how fast they answer and which ones hang."""

    def __init__(
        self,
        host: Host,
        timeout: float,
        most_stuck: int,
        processes: QemuProcesses,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """timeout: seconds of a whole cycle. most_stuck: [memballoon] most_stuck_calls."""
        self._host = host
        self._timeout = timeout
        self._monotonic = monotonic
        self._pause = pause
        self._pace = Pace()
        self._trouble = Trouble(host, processes, most_stuck)
        self._problems = ProblemLog()
        self._warnings = ReadWarnings(self._problems, timeout * READ_SHARE)
        self._busy: set[Boot] = set()

    @property
    def host(self) -> Host:
        """The host whose guests are read."""
        return self._host

    def read(self, groups: int = MEMORY_GROUPS) -> Snapshot:
        """Read all running domains. Raises NoAnswerError if libvirt answers nothing.

        The read takes at most READ_SHARE and LAST_SHARE of the timeout. Domains whose turn did
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
        finally:
            cycle.late_reads.leave()
        self._trouble.end_if_over()
        return Snapshot({r.uuid: r for r in cycle.findings.records}, groups, taken)

    def read_again(
        self, records: Iterable[Record], end: float, groups: int = MEMORY_GROUPS
    ) -> list[Record]:
        """Read domains again that were just read. Return those that answered.

        end: when to stop, in monotonic seconds. Raises NoAnswerError.
        """
        unasked = [record.with_outcome(Outcome.NOT_ASKED) for record in records]
        cycle = self._cycle(unasked, groups, self._monotonic(), end)
        try:
            cycle.read(unasked)
            cycle.late_reads.wait()
        finally:
            cycle.late_reads.leave()
        boots = {record.boot for record in unasked}
        return [r for b, r in cycle.findings.found.items() if b in boots and r.is_read]

    def _cycle(self, records: Iterable[Record], groups: int, taken: float, end: float) -> Cycle:
        last = end + self._timeout * LAST_SHARE
        clock = CycleClock(taken, end, last, self._timeout * DAEMON_SHARE, self._monotonic)
        found = {record.boot: record for record in records}
        findings = Findings(self._pace, self._trouble, self._problems, clock, found)
        return Cycle(
            host=self._host,
            pace=self._pace,
            trouble=self._trouble,
            groups=groups,
            clock=clock,
            findings=findings,
            late_reads=LateReads(self._trouble, self._pace, findings, clock),
            pause=self._pause,
        )

    def _read_all(self, cycle: Cycle) -> None:
        """Read all guests. Raises NoAnswerError if libvirt dies before one was read."""
        try:
            if self._trouble.since is not None:
                cycle.examine()
            cycle.read(cycle.findings.records)
            self._busy = cycle.read_busy_again(self._busy)
            cycle.read_left_out()
        except StoppedError:
            raise
        except NoAnswerError as error:
            if not any(record.is_read for record in cycle.findings.records):
                raise
            self._warnings.note_cut_short(cycle, error)
        else:
            self._warnings.note_end(cycle)

    def _recall(self, cycle: Cycle) -> None:
        """Update the remembered state for the domains that run now."""
        running = cycle.findings.found
        self._trouble.forget_all_but(running)
        self._problems.forget_all_but({*SUBJECTS, *running})
        self._pace.begin_cycle()
        cycle.late_reads.take_earlier()
