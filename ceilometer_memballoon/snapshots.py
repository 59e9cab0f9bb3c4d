# SPDX-License-Identifier: Apache-2.0
"""Let one read of libvirt answer all pollsters of a polling cycle, and no other cycle's."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.groups import Question

#: Seconds for which a snapshot may be used. A cycle whose pollsters take longer, because they send
#: many samples, reads again.
MOST_AGE = 2.0
#: Means all instances instead of one instance's UUID.
ALL = ""

S = TypeVar("S")


@dataclasses.dataclass
class CachedRead(Generic[S]):
    """A snapshot, or the error of its read.

    ended: When the read ended, in monotonic seconds.
    served: The questions about instances that it, or an earlier snapshot of the same cycle, has
        answered.
    """

    result: S | NoAnswerError
    groups: int
    ended: float
    served: set[tuple[Question, str]] = dataclasses.field(default_factory=set)

    def get(self) -> S:
        """Return the snapshot. Raises an error like that of its read."""
        if isinstance(self.result, NoAnswerError):
            raise self.result.without_traceback()
        return self.result


class Snapshots(Generic[S]):
    """Takes snapshots with ``read``. Each one answers a question about an instance once.

    A pollster asks the same question about the same instance again only in a later cycle. So a
    repeated question gets a new snapshot. A failed read is kept like a snapshot, so that libvirt is
    not asked again for each instance.

    A snapshot has the groups of all questions that were asked in this cycle and the previous one.
    Several threads may use a Snapshots object.
    """

    def __init__(
        self,
        read: Callable[[int], S],
        lock_timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """read: Makes a snapshot of the given groups; raises NoAnswerError.

        lock_timeout: Seconds to wait for other threads that use libvirt.
        """
        self._read = read
        self._lock_timeout = lock_timeout
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._working = threading.RLock()
        self._latest: CachedRead[S] | None = None
        self._asked: set[Question] = set()
        self._asked_before: set[Question] = set()

    @property
    def ended(self) -> float | None:
        """When the latest read ended, in seconds of the monotonic clock."""
        return None if self._latest is None else self._latest.ended

    def get(self, question: Question, uuid: str = ALL) -> S:
        """Return a snapshot that answers the question about the instance.

        Raises NoAnswerError.
        """
        asked = self._monotonic()
        shot = self._serve(question, uuid, asked)
        if shot is None:
            with self.exclusive():
                # Another thread may have read in the meantime.
                shot = self._serve(question, uuid, asked) or self._take(question, uuid)
        return shot.get()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other threads from using libvirt while the context is active.

        Raises NoAnswerError.
        """
        if not self._working.acquire(timeout=self._lock_timeout):
            raise NoAnswerError("another polling cycle does not end")
        try:
            yield
        finally:
            self._working.release()

    def _serve(self, question: Question, uuid: str, asked: float) -> CachedRead[S] | None:
        with self._lock:
            shot = self._latest
            if shot is None or question.groups & ~shot.groups:
                return None
            # A question that waited for the read may share it with an equal question.
            if asked > shot.ended and (
                (question, uuid) in shot.served or asked > shot.ended + MOST_AGE
            ):
                return None
            shot.served.add((question, uuid))
            self._asked.add(question)
            return shot

    def _take(self, question: Question, uuid: str) -> CachedRead[S]:
        groups, served = self._begin(question)
        result: S | NoAnswerError
        try:
            result = self._read(groups)
        except NoAnswerError as error:
            result = error.without_traceback()
        shot = CachedRead(result, groups, self._monotonic(), served | {(question, uuid)})
        with self._lock:
            self._latest = shot
        return shot

    def _begin(self, question: Question) -> tuple[int, set[tuple[Question, str]]]:
        """Return the groups of the next read, and the questions already answered in its cycle."""
        with self._lock:
            shot = self._latest
            served = set()
            if (
                shot is not None
                and question.groups & ~shot.groups
                and self._monotonic() <= shot.ended + MOST_AGE
            ):
                # The same cycle asks this question for the first time.
                served = set(shot.served)
            else:
                self._asked, self._asked_before = set(), self._asked
            self._asked.add(question)
            groups = 0
            for one in self._asked | self._asked_before:
                groups |= one.groups
            return groups, served
