# SPDX-License-Identifier: Apache-2.0
"""Find the guests of a host that can be asked now, without asking them."""

from collections.abc import Collection, Iterable, Mapping

from ceilometer_memballoon.host import Host
from ceilometer_memballoon.pending_read import Read
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.record import Boot, Hold, Monitor, Record

#: A monitor that has been occupied for this many seconds belongs to a QEMU process that hangs,
#: unless the host is so slow that its guests usually take longer.
LONG_HELD = 1.0


class Trouble:
    """The hung guests of one host.

    since: When the trouble started, in monotonic seconds; None without trouble.
    hung: Boots whose QEMU process does not answer.
    occupied: Boots whose monitor any libvirt client has occupied for long. Each one holds a worker
        of libvirtd.
    parked: Late reads, each with the boots whose QEMU process it waits for.
    """

    def __init__(self, host: Host, processes: QemuProcesses, most_stuck: int) -> None:
        """most_stuck: the number of stuck calls on this host at which nothing is asked."""
        self._host = host
        self._processes = processes
        self._most_stuck = most_stuck
        self._answered: dict[Boot, float] = {}
        self.since: float | None = None
        self.hung: set[Boot] = set()
        self.occupied: set[Boot] = set()
        self.parked: dict[Read, set[Boot]] = {}

    @property
    def stuck(self) -> int:
        """The number of stuck calls on this host. The calls of every libvirt client count."""
        ours = {boot for boots in self.parked.values() for boot in boots}
        return max(len(self.occupied | ours), len(self.parked))

    @property
    def at_budget(self) -> bool:
        """Whether so many calls are stuck that no unproven guest may be asked."""
        return self.stuck >= self._places_for_unproven

    def begin(self, now: float) -> None:
        """Note that guests may hang. From now on each guest has to prove that it answers."""
        if self.since is None:
            self.since = now

    def end_if_over(self) -> None:
        """Note that the trouble is over if no guest is known to hang."""
        if not self.hung and not any(self.parked.values()):
            self.since = None

    def note_answer(self, boot: Boot, now: float) -> None:
        """Note that the guest has answered."""
        self._answered[boot] = now

    def last_answer(self, record: Record) -> float:
        """Return when the guest last answered, in monotonic seconds; below zero if never."""
        return self._answered.get(record.boot, -1.0)

    def is_proven(self, record: Record) -> bool:
        """Return whether the guest has answered since the trouble started."""
        return self.since is None or self.last_answer(record) >= self.since

    def may_ask(self, record: Record) -> bool:
        """Return whether one more call to this guest may get stuck."""
        # The last call is reserved for guests that are proven to answer.
        places = self._most_stuck if self.is_proven(record) else self._places_for_unproven
        return self.stuck < places

    def examine(self, records: Collection[Record], hung_after: float, seconds: float) -> None:
        """Find the domains among these that hang. Takes no job and asks no QEMU process.

        hung_after: Seconds without an answer after which a QEMU process counts as hung.
        seconds: The longest time for libvirtd's answer.
        Raises NoAnswerError.
        """
        monitors = self._host.monitors(records, seconds)
        self._find_awaited(monitors)
        limit = max(hung_after, LONG_HELD)
        held = {boot for boot, m in monitors.items() if m.seconds >= limit}
        occupied = {boot for boot in held if monitors[boot].hold is Hold.MONITOR}
        broken = {boot for boot, m in monitors.items() if m.hold is Hold.BROKEN}
        halted = self._processes.halted(r.uuid for r in records if r.boot not in occupied)
        hung = occupied | broken | {r.boot for r in records if r.uuid in halted}
        # Nothing new is known of the other domains, nor of those for which libvirt was too slow.
        examined = monitors.keys()
        self.occupied = self.occupied - examined | occupied
        self.hung = self.hung - examined | hung

    def park(self, read: Read, now: float, seconds: float) -> None:
        """Let a late read continue while other reads run, and find the guests that it waits for.

        now: since when guests may hang, in monotonic seconds. Raises NoAnswerError.
        """
        self.begin(now)
        self.set_aside(read)
        self._find_awaited(self._host.monitors(read.records, seconds))

    def set_aside(self, read: Read) -> None:
        """Let a read continue while other reads run. Whom it waits for is not known yet."""
        read.park()
        self.parked[read] = set()

    def waits_for(self, boot: Boot) -> bool:
        """Return whether a parked read waits for this guest."""
        return any(boot in boots for boots in self.parked.values())

    def forget_all_but(self, boots: Iterable[Boot]) -> None:
        """Forget the domains that no longer run."""
        kept = set(boots)
        self._answered = {boot: t for boot, t in self._answered.items() if boot in kept}
        self.hung &= kept
        self.occupied &= kept

    @property
    def _places_for_unproven(self) -> int:
        return max(self._most_stuck - 1, 1)

    def _find_awaited(self, monitors: Mapping[Boot, Monitor]) -> None:
        """Note the guests that each parked read waits for now.

        When a QEMU process answers, its call continues with the next domain and can get stuck
        there.
        """
        occupied = {boot for boot, monitor in monitors.items() if monitor.hold is Hold.MONITOR}
        unknown = {boot for boot, monitor in monitors.items() if monitor.hold is Hold.UNKNOWN}
        answered = monitors.keys() - occupied - unknown
        for read in self.parked:
            self.parked[read] -= answered
        known = {boot for boots in self.parked.values() for boot in boots}
        for read, boots in self.parked.items():
            # Each call of a read waits for one guest at a time.
            for asked in filter(boots.isdisjoint, read.asked):
                boots.update((occupied - known).intersection(asked))
