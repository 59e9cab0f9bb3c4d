# SPDX-License-Identifier: Apache-2.0
"""A host whose guests answer on a clock that only the test moves."""

import dataclasses
import math

from ceilometer_memballoon import paired_read
from ceilometer_memballoon.answers import BUSY_FIELDS
from ceilometer_memballoon.errors import DeadlineError, TooManyStuckCallsError
from ceilometer_memballoon.record import Hold, Monitor, Outcome, Record
from tests.unit import recorded

#: Seconds of a call that libvirtd answers without QEMU.
DAEMON_SECONDS = 0.001


class Clock:
    """Monotonic seconds, which only sleep() advances."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += max(seconds, 0)


@dataclasses.dataclass
class Guest:
    """One guest. A call to it takes ``seconds`` and does not return before hung_until.

    holds: (from, until, hold) of every job on the guest, ours and others'.
    """

    uuid: str
    id: int = 1
    seconds: float = 0.001
    hung_from: float = math.inf
    hung_until: float = math.inf
    error: Exception | None = None
    fields: dict = dataclasses.field(default_factory=lambda: dict(recorded.RUNNING))
    holds: list = dataclasses.field(default_factory=list)
    reads: int = 0

    def hang(self, since, until=math.inf):
        self.hung_from, self.hung_until = since, until

    def recover(self, now):
        self.hung_until = now

    def held_at(self, now):
        return next(((a, h) for a, b, h in self.holds if a <= now < b), None)

    def hangs_at(self, now):
        return self.hung_from <= now < self.hung_until

    def record(self, outcome=Outcome.NOT_ASKED, fields=None):
        return Record(self.uuid, self.id, self.uuid, outcome=outcome, fields=fields or {})


class FakeCall:
    """A call that asks its guests one after the other, as libvirtd does."""

    def __init__(self, host, guests):
        self._host = host
        self.last = host.clock()
        self._todo = guests
        self.answers = []
        self.error = None
        #: The guest that it asks now, and since when.
        self._asked = None
        self._asked_at = 0.0

    def advance(self):
        """Process the answers that are due now. Return whether the call has ended."""
        while self._todo and self.last <= self._host.clock():
            guest = self._todo[0]
            if guest is None or guest.uuid not in self._host.guests:
                self._todo.pop(0)
            elif self._asked is guest:
                if not self._finish(guest):
                    return False
            elif guest.held_at(self.last):
                fields = {n: v for n, v in guest.fields.items() if n in BUSY_FIELDS}
                self.answers.append(guest.record(Outcome.BUSY, fields))
                self._todo.pop(0)
            else:
                guest.reads += 1
                self._asked, self._asked_at = guest, self.last
                guest.holds.append((self.last, math.inf, Hold.MONITOR))
        return not self._todo and self.last <= self._host.clock()

    def continues_at(self):
        """Return when the call continues, in seconds of the clock."""
        return self.last if self._asked is None else self._answered_at()

    def _answered_at(self):
        """Return when the asked guest answers, in seconds of the clock."""
        guest, begun = self._asked, self._asked_at
        return (guest.hung_until if guest.hangs_at(begun) else begun) + guest.seconds

    def _finish(self, guest):
        """Finish the guest's answer. Return False if the answer is not there yet."""
        begun, end = self._asked_at, self._answered_at()
        if end > self._host.clock():
            return False
        guest.holds.remove((begun, math.inf, Hold.MONITOR))
        guest.holds.append((begun, end, Hold.MONITOR))
        self.last, self._asked = end, None
        self._todo.pop(0)
        if guest.error is not None:
            self.error, self._todo = guest.error, []
        else:
            self.answers.append(guest.record(Outcome.READ, guest.fields))
        return True


class FakeRead:
    """A read of one call, or of two calls at the same time."""

    def __init__(self, host, records):
        self.records = records
        self.asked = paired_read.parts([record.boot for record in records])
        self.parked = self.left = self.closed = False
        self._host = host
        self._begun = host.clock()
        self._calls = [
            FakeCall(host, [host.guests.get(uuid) for uuid, _ in boots]) for boots in self.asked
        ]

    def advance(self):
        """Process the answers that are due now. Return whether the read has ended."""
        # Each call continues, whether another one has ended or not.
        ended = [call.advance() for call in self._calls]
        return all(ended)

    def _run_to(self, limit):
        """Advance the clock to the end of this read, or to the limit."""
        clock = self._host.clock
        while not self._host.advance(self):
            if clock.now >= limit:
                return False
            clock.now = min(
                limit, *(call.continues_at() for call in self._calls if not call.advance())
            )
        return True

    @property
    def returned(self):
        return self._host.advance(self)

    @property
    def seconds(self):
        end = max(call.last for call in self._calls) if self.returned else self._host.clock()
        return end - self._begun

    def wait(self, seconds):
        return self._run_to(self._host.clock() + max(seconds, 0))

    def park(self):
        self.parked = True

    def leave(self):
        if not self.returned:
            self.left = True
        return self.left

    def result(self):
        assert self.returned
        for call in self._calls:
            if call.error is not None:
                raise call.error
        if self._host.broken is not None:
            raise self._host.broken
        answers = [record for call in self._calls for record in call.answers]
        return [record for record in answers if record.uuid in self._host.guests]

    def close(self, seconds):
        self.closed = True


class FakeHost:
    """The guests by UUID. broken: the error that every question raises, if any."""

    def __init__(self, clock, *guests, most_stuck=4):
        self.clock = clock
        self.guests = {guest.uuid: guest for guest in guests}
        self.most_stuck = most_stuck
        self.reads = []
        self.broken = None
        self.is_connected = True
        self.asked_for_monitors = 0
        self.stuck_calls = 0

    def advance(self, read):
        for one in self.reads:
            if one is not read:
                one.advance()
        return read.advance()

    def _answer(self, seconds):
        if self.broken is not None:
            raise self.broken
        self.clock.sleep(min(DAEMON_SECONDS, seconds))
        if seconds < DAEMON_SECONDS:
            raise DeadlineError(f"no answer within {seconds:g} s")

    def list_domains(self, seconds):
        self._answer(seconds)
        return [guest.record() for guest in self.guests.values()]

    def start_read(self, records, groups, seconds):
        if self.broken is not None:
            raise self.broken
        if sum(not read.returned for read in self.reads) >= self.most_stuck:
            raise TooManyStuckCallsError("too many")
        read = FakeRead(self, list(records))
        self.reads.append(read)
        read.advance()
        return read

    def monitors(self, records, seconds):
        self.asked_for_monitors += 1
        self._answer(seconds)
        for read in self.reads:
            read.advance()
        found = {}
        for record in records:
            guest = self.guests.get(record.uuid)
            if guest is not None:
                held = guest.held_at(self.clock())
                found[record.boot] = (
                    Monitor(held[1], self.clock() - held[0]) if held else Monitor(Hold.NOTHING, 0)
                )
        return found

    @property
    def left_open(self):
        """Reads whose connection is never closed, because they were neither left nor closed."""
        return [r for r in self.reads if r.parked and not r.left and not r.closed]


class FakeProcesses:
    """A /proc that shows the guests that hang, or nothing."""

    def __init__(self, host, *, visible=True):
        self.host = host
        self.visible = visible
        self.times = {}

    def halted(self, uuids):
        now = self.host.clock()
        wanted = [self.host.guests[u] for u in set(uuids) if u in self.host.guests]
        return {g.uuid for g in wanted if self.visible and g.hangs_at(now)}

    def started(self, uuids):
        return {uuid: self.times[uuid] for uuid in uuids if uuid in self.times}
