# SPDX-License-Identifier: Apache-2.0
"""Reading many domains in two calls at once."""

import contextlib
import threading
import weakref

import libvirt
import pytest

from ceilometer_memballoon import paired_read
from ceilometer_memballoon.pace import MOST_DOMAINS, MOST_IN_CALL
from tests.lab.waiting import wait_for
from tests.unit import recorded
from tests.unit.fake_libvirt import BALLOON, FakeDomain, libvirt_error

SECONDS = 10


class Connection:
    """Answers each call when ``calls`` calls are under way. fails: uuids of calls that raise."""

    def __init__(self, calls, fails=()):
        self.together = threading.Barrier(calls)
        self.fails = fails
        self.asked = []
        self.open = 0

    def domainListGetStats(self, domains, groups, flags):  # noqa: N802
        uuids = [domain.UUIDString() for domain in domains]
        self.asked.append(uuids)
        self.open += 1
        self.together.wait(SECONDS)
        self.open -= 1
        if set(self.fails) & set(uuids):
            raise libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)
        return [(domain, recorded.RUNNING) for domain in domains]


def domains(count):
    return [FakeDomain(str(number)) for number in range(count)]


def read(connection, count):
    return [r.uuid for r in paired_read.read(connection, domains(count), BALLOON)]


def test_few_domains_are_one_call():
    connection = Connection(1)
    assert read(connection, MOST_IN_CALL) == [str(n) for n in range(MOST_IN_CALL)]
    assert len(connection.asked) == 1


def test_many_domains_are_two_calls_at_once():
    connection = Connection(2)
    assert read(connection, MOST_DOMAINS) == [str(n) for n in range(MOST_DOMAINS)]
    assert sorted(map(len, connection.asked)) == [MOST_IN_CALL, MOST_IN_CALL]


def test_parts_are_the_domains_of_each_call():
    assert paired_read.parts(list(range(MOST_IN_CALL + 1))) == [[*range(9)], [*range(9, 17)]]


@pytest.mark.parametrize("uuid", ["0", str(MOST_DOMAINS - 1)])
def test_error_of_either_call_is_raised_after_both_have_returned(uuid):
    connection = Connection(2, fails=[uuid])
    with pytest.raises(libvirt.libvirtError):
        read(connection, MOST_DOMAINS)
    assert connection.open == 0


def test_errors_of_both_calls_keep_no_domain(no_collector):
    some = domains(MOST_DOMAINS)
    kept = [weakref.ref(domain) for domain in some]
    with contextlib.suppress(libvirt.libvirtError):
        paired_read.read(Connection(2, fails=[some[0].uuid, some[-1].uuid]), some, BALLOON)
    some.clear()
    wait_for(lambda: not any(one() for one in kept), SECONDS, "the end of the domains")
