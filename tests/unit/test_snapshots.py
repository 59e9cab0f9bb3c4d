# SPDX-License-Identifier: Apache-2.0
"""Which read answers which question: each question once, and never from an earlier cycle."""

import contextlib
import dataclasses
import threading
import weakref

import pytest

from ceilometer_memballoon.errors import NoAnswerError
from ceilometer_memballoon.groups import BASE, Question
from ceilometer_memballoon.snapshots import MOST_AGE, Snapshots

PATIENCE = 5.0
FIRST, SECOND = "uuid-1", "uuid-2"
Q = Question


@dataclasses.dataclass
class Fake:
    """A clock that advances with each call, and numbered reads."""

    now: float = 0.0
    error: Exception | None = None
    groups: list[int] = dataclasses.field(default_factory=list)

    def monotonic(self):
        self.now += 0.001
        return self.now

    def read(self, groups):
        self.groups.append(groups)
        if self.error is not None:
            raise self.error
        return len(self.groups)


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def snapshots(fake):
    return Snapshots(fake.read, PATIENCE, fake.monotonic)


def cycle(snapshots, *questions, uuids=(FIRST, SECOND)):
    """Return the reads that answer these questions about each instance, one after the other."""
    return [snapshots.get(question, uuid) for question in questions for uuid in uuids]


def test_one_read_answers_all_instances_of_a_question(snapshots):
    assert cycle(snapshots, Q.INSTANCE) == [1, 1]


def test_each_cycle_reads_again(snapshots):
    cycle(snapshots, Q.INSTANCE)
    assert cycle(snapshots, Q.INSTANCE) == [2, 2]


def test_second_cycle_is_one_read_with_the_groups_of_all_questions(snapshots, fake):
    questions = (Q.MEMORY, Q.INSTANCE, Q.VNICS, Q.DISKS, Q.DISK_INFO)
    cycle(snapshots, *questions)
    fake.groups.clear()
    assert len(set(cycle(snapshots, *questions))) == 1
    wanted = 0
    for question in questions:
        wanted |= question.groups
    assert fake.groups == [wanted]


def test_group_of_a_dropped_question_is_not_read(snapshots, fake):
    cycle(snapshots, Q.MEMORY, Q.DISKS)
    cycle(snapshots, Q.MEMORY)
    cycle(snapshots, Q.MEMORY)
    assert fake.groups[-1] == BASE


def test_only_requested_groups_are_read(snapshots, fake):
    cycle(snapshots, Q.VNICS)
    assert fake.groups == [Q.VNICS.groups]


def test_question_answered_before_another_needed_a_further_read_is_read_again(snapshots):
    # The second read of the first cycle does not answer the first question of the second cycle.
    cycle(snapshots, Q.INSTANCE, Q.DISKS)
    assert cycle(snapshots, Q.INSTANCE) == [3, 3]


def test_old_snapshot_answers_no_question(snapshots, fake):
    snapshots.get(Q.INSTANCE, FIRST)
    fake.now += MOST_AGE
    assert snapshots.get(Q.INSTANCE, SECOND) == 2


def test_failed_read_is_not_tried_again_for_each_instance(snapshots, fake):
    fake.error = NoAnswerError("libvirt hangs")
    for uuid in (FIRST, SECOND):
        with pytest.raises(NoAnswerError, match="libvirt hangs"):
            snapshots.get(Q.INSTANCE, uuid)
    assert len(fake.groups) == 1
    fake.error = None
    assert cycle(snapshots, Q.INSTANCE) == [2, 2]


class Domain:
    """In the place of a libvirt object, which must be freed as soon as nothing needs it."""


def test_error_of_a_read_keeps_no_object_of_reader_and_callers(fake, no_collector):
    kept = []

    def make_domain():
        domain = Domain()
        kept.append(weakref.ref(domain))
        return domain

    def read(groups):
        domain = make_domain()
        raise NoAnswerError(f"no answer about {domain}")

    def ask(snapshots, uuid):
        domain = make_domain()
        with contextlib.suppress(NoAnswerError):
            snapshots.get(Q.INSTANCE, uuid)
        return domain

    snapshots = Snapshots(read, PATIENCE, fake.monotonic)
    ask(snapshots, FIRST)
    ask(snapshots, SECOND)
    assert [one() for one in kept] == [None, None, None]


def test_cycles_of_two_intervals_see_no_read_that_began_before_they_did(snapshots):
    first = snapshots.get(Q.INSTANCE, FIRST)
    other_cycle = snapshots.get(Q.INSTANCE, FIRST)
    rest_of_first = snapshots.get(Q.INSTANCE, SECOND)
    rest_of_other = snapshots.get(Q.INSTANCE, SECOND)
    assert other_cycle > first
    assert rest_of_first >= first
    assert rest_of_other >= other_cycle


def test_thread_that_asks_during_a_read_shares_it():
    reads, clock = [], threading.local()
    reading, asked = threading.Event(), threading.Event()

    def monotonic():
        # The second thread reads the clock once before it waits for the read.
        if getattr(clock, "second", False):
            asked.set()
        return float(len(reads))

    def read(groups):
        reading.set()
        assert asked.wait(PATIENCE)
        reads.append(groups)
        return len(reads)

    def ask_second():
        clock.second = True
        found.append(snapshots.get(Q.INSTANCE, FIRST))

    found: list[int] = []
    snapshots = Snapshots(read, PATIENCE, monotonic)
    first = threading.Thread(target=lambda: found.append(snapshots.get(Q.INSTANCE, FIRST)))
    second = threading.Thread(target=ask_second)
    first.start()
    assert reading.wait(PATIENCE)
    second.start()
    for thread in (first, second):
        thread.join(PATIENCE)
    assert found == [1, 1]


def test_thread_gives_up_after_waiting_for_others():
    snapshots = Snapshots(lambda groups: 1, 0.01)
    held, done = threading.Event(), threading.Event()

    def hold():
        with snapshots.exclusive():
            held.set()
            done.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    with pytest.raises(NoAnswerError, match="another polling cycle"):
        snapshots.get(Q.INSTANCE, FIRST)
    done.set()
    thread.join(PATIENCE)
