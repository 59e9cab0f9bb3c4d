# SPDX-License-Identifier: Apache-2.0
"""A reader with prepared answers, and functions that prepare records."""

from ceilometer_memballoon.reader import Snapshot
from ceilometer_memballoon.record import Outcome, Record
from tests.unit import recorded


def record(uuid, fields=recorded.RUNNING, outcome=Outcome.READ, **changed):
    return Record(uuid, 1, uuid, outcome=outcome, fields=fields, **changed)


def unread(uuid, outcome):
    return record(uuid, {}, outcome)


class FakeReader:
    """A reader that returns the reads in turn and then repeats the last one. Errors are raised.

    again: what further reads of a cycle return in turn.
    """

    def __init__(self, *reads, again=()):
        self.reads = list(reads)
        self.again = list(again)
        self.read_count = 0
        self.asked_again = []

    def read(self, groups):
        self.read_count += 1
        read = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        return Snapshot({one.uuid: one for one in _give(read)}, groups, 0.0)

    def read_again(self, records, end):
        self.asked_again.append([one.uuid for one in records])
        return _give(self.again.pop(0)) if self.again else list(records)


def _give(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer
