# SPDX-License-Identifier: Apache-2.0
"""How the host uses its connections, over stand-ins for them."""

import threading

import libvirt
import pytest

from ceilometer_memballoon.deadline import Calls
from ceilometer_memballoon.errors import (
    DeadlineError,
    DomainError,
    DomainGoneError,
    NoAnswerError,
    StoppedError,
    TooManyStuckCallsError,
    UnreachableError,
    WriteRefusedError,
)
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.record import Outcome, Record
from tests.lab.waiting import wait_for

TIMEOUT = 10
SOON = 0.05
RECORD = Record("a", 1, "a")
BALLOON = libvirt.VIR_DOMAIN_STATS_BALLOON
#: As a connection's answer: it is lost when it is used.
LOST = "lost"


def libvirt_error(code, errno=0):
    error = libvirt.libvirtError("failed")
    error.err = (code, 0, "failed\nbadly", 0, "", "", "", errno, 0)
    return error


class FakeDomain:
    """One domain. ids: what ID() gives in turn; error: what any question raises."""

    def __init__(self, uuid="a", ids=(1,), error=None):
        self.uuid = uuid
        self.ids = list(ids)
        self.error = error
        self.periods = []

    def ID(self):  # noqa: N802
        return self.ids.pop(0) if len(self.ids) > 1 else self.ids[0]

    def UUIDString(self):  # noqa: N802
        return self.uuid

    def name(self):
        return self.uuid

    def XMLDesc(self, flags):  # noqa: N802
        if self.error is not None:
            raise self.error
        return "<domain/>"

    def jobInfo(self):  # noqa: N802
        if self.error is not None:
            raise self.error
        return [0]

    def controlInfo(self):  # noqa: N802
        return (libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 1500)

    def setMemoryStatsPeriod(self, period, flags):  # noqa: N802
        if self.error is not None:
            raise self.error
        self.periods.append((period, flags))


class FakeConnection:
    """Has these domains. on: by method, what it raises, waits for (an event), or LOST."""

    def __init__(self, *domains, **on):
        self.domains = {domain.uuid: domain for domain in domains}
        self.on = on
        self.alive = True
        self.closed = False
        self.lists = 0
        self._o = "what libvirt's __del__ closes"

    def _act(self, method):
        action = self.on.get(method)
        if isinstance(action, threading.Event):
            action.wait(60)
        elif action == LOST:
            self.alive = False
            raise libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR)
        elif isinstance(action, Exception):
            raise action

    def getAllDomainStats(self, groups, flags):  # noqa: N802
        self.lists += 1
        self._act("list")
        return [(domain, {"state.state": 1}) for domain in self.domains.values()]

    def domainListGetStats(self, domains, groups, flags):  # noqa: N802
        self._act("read")
        fields = {"state.state": 1, "balloon.current": 4, "balloon.rss": 2}
        return [(domain, fields) for domain in domains]

    def lookupByUUIDString(self, uuid):  # noqa: N802
        self._act("lookup")
        if uuid not in self.domains:
            raise libvirt_error(libvirt.VIR_ERR_NO_DOMAIN)
        return self.domains[uuid]

    def isAlive(self):  # noqa: N802
        return int(self.alive)

    def close(self):
        self._act("close")
        self.closed = True


@pytest.fixture
def release():
    """What stuck connections wait for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def opens(monkeypatch):
    """Have libvirt open these connections in turn; exceptions are raised."""

    def set_up(*connections):
        left = list(connections)

        def take(uri):
            taken = left.pop(0)
            if isinstance(taken, Exception):
                raise taken
            return taken

        monkeypatch.setattr(libvirt, "openReadOnly", take)
        monkeypatch.setattr(libvirt, "open", take)
        return left

    return set_up


def host(most_stuck=4):
    return Host("uri", TIMEOUT, most_stuck)


def test_one_connection_serves_all_questions(opens):
    left = opens(FakeConnection(), FakeConnection())
    one = host()
    one.list_domains(TIMEOUT)
    one.list_domains(TIMEOUT)
    assert len(left) == 1


def test_nothing_is_connected_before_it_is_asked(opens):
    opens()
    assert host().is_connected is False


@pytest.mark.parametrize("found", ["before", "while asked"])
def test_connection_lost_between_two_cycles_costs_none(opens, found):
    first = FakeConnection()
    opens(first, FakeConnection(FakeDomain()))
    one = host()
    one.list_domains(TIMEOUT)
    first.alive = found != "before"
    first.on["list"] = LOST
    assert [record.uuid for record in one.list_domains(TIMEOUT)] == ["a"]


def test_libvirtd_that_drops_each_connection_is_not_tried_for_ever(opens):
    first, second, third = (FakeConnection() for _ in range(3))
    left = opens(first, second, third)
    one = host()
    one.list_domains(TIMEOUT)
    first.on["list"] = second.on["list"] = LOST
    with pytest.raises(UnreachableError):
        one.list_domains(TIMEOUT)
    assert left == [third]


def test_new_connection_that_fails_is_not_tried_for_ever(opens):
    left = opens(FakeConnection(list=LOST), FakeConnection())
    with pytest.raises(UnreachableError):
        host().list_domains(TIMEOUT)
    assert len(left) == 1


@pytest.mark.parametrize("code", [libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_ACCESS_DENIED])
def test_error_of_a_list_is_no_answer_in_one_line(opens, code):
    opens(FakeConnection(list=libvirt_error(code)))
    with pytest.raises(NoAnswerError, match=r"^failed[^\n]*$"):
        host().list_domains(TIMEOUT)


@pytest.mark.parametrize(
    "error",
    [
        libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 2),
        libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 13),
        libvirt_error(libvirt.VIR_ERR_AUTH_FAILED),
        libvirt.libvirtError("without details"),
    ],
)
def test_libvirtd_that_cannot_be_connected_is_named(opens, error):
    opens(error)
    with pytest.raises(UnreachableError, match=r"^uri: [^\n]+$"):
        host().list_domains(TIMEOUT)


def test_connecting_and_asking_end_within_one_deadline(monkeypatch, release):
    connection, given, run = FakeConnection(list=release), [], Calls.run

    def note(calls, function, seconds, *late):
        given.append(seconds)
        return run(calls, function, seconds, *late)

    monkeypatch.setattr(Calls, "run", note)
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: release.wait(SOON) or connection)
    with pytest.raises(DeadlineError):
        host().list_domains(3 * SOON)
    connecting, asking = given
    assert asking <= connecting - SOON


def test_read_gives_records_of_its_domains(opens):
    opens(FakeConnection(FakeDomain("a"), FakeDomain("b")))
    one = host()
    records = one.list_domains(TIMEOUT)
    read = one.start_read(records[:1], BALLOON, TIMEOUT)
    assert read.wait(TIMEOUT)
    assert [(r.uuid, r.outcome) for r in read.result()] == [("a", Outcome.READ)]


def test_read_of_a_domain_that_has_booted_anew_gives_its_new_boot(opens):
    opens(FakeConnection(FakeDomain("a", ids=(1, 2))))
    one = host()
    (record,) = one.list_domains(TIMEOUT)
    read = one.start_read([record], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    (again,) = read.result()
    read = one.start_read([again], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    assert [r.boot for r in read.result()] == [("a", 2)]


def test_error_of_a_read_is_its_domains_own(opens):
    opens(FakeConnection(FakeDomain(), read=OverflowError("too large")))
    one = host()
    read = one.start_read([RECORD], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    with pytest.raises(DomainError, match="too large"):
        read.result()


def test_connection_lost_by_a_read_is_no_domains_trouble(opens):
    opens(FakeConnection(FakeDomain(), read=LOST))
    read = host().start_read([RECORD], BALLOON, TIMEOUT)
    read.wait(TIMEOUT)
    with pytest.raises(UnreachableError):
        read.result()


def test_parked_read_keeps_its_connection_for_itself(opens, release):
    stuck, fresh = FakeConnection(FakeDomain(), read=release), FakeConnection(FakeDomain())
    opens(stuck, fresh)
    one = host()
    read = one.start_read([RECORD], BALLOON, TIMEOUT)
    assert read.wait(SOON) is False
    read.park()
    assert one.is_connected is False
    one.list_domains(TIMEOUT)
    assert (stuck.closed, fresh.closed, fresh.lists) == (False, False, 1)


def test_left_read_closes_its_connection_when_it_returns(opens, release):
    stuck = FakeConnection(FakeDomain(), read=release)
    opens(stuck)
    one = host()
    read = one.start_read([RECORD], BALLOON, TIMEOUT)
    read.park()
    assert (read.leave(), one.stuck_calls) == (True, 1)
    release.set()
    wait_for(lambda: stuck.closed, 10, "the stuck connection's end")
    wait_for(lambda: one.stuck_calls == 0, 10, "the call's end")


def test_parked_read_that_has_returned_is_closed(opens, release):
    stuck = FakeConnection(FakeDomain(), read=release)
    opens(stuck)
    read = host().start_read([RECORD], BALLOON, TIMEOUT)
    read.park()
    release.set()
    assert read.wait(TIMEOUT)
    assert (read.leave(), read.returned, read.seconds < TIMEOUT) == (False, True, True)
    read.close(TIMEOUT)
    assert stuck.closed is True


def test_no_more_reads_are_begun_than_may_get_stuck(opens, release):
    opens(FakeConnection(FakeDomain(), read=release))
    one = host(most_stuck=1)
    one.start_read([RECORD], BALLOON, TIMEOUT)
    with pytest.raises(TooManyStuckCallsError):
        one.start_read([RECORD], BALLOON, TIMEOUT)


@pytest.mark.parametrize(("most", "stuck", "expected"), [(1, 0, True), (2, 1, False), (4, 2, True)])
def test_spare_place_leaves_one_more(opens, release, most, stuck, expected):
    opens(*(FakeConnection(FakeDomain(), read=release) for _ in range(stuck)))
    one = host(most)
    for _ in range(stuck):
        read = one.start_read([RECORD], BALLOON, TIMEOUT)
        read.park()
        read.leave()
    assert one.has_spare_place is expected


def test_monitors_are_those_of_the_domains(opens):
    opens(FakeConnection(FakeDomain()))
    assert host().monitors([RECORD], TIMEOUT)["a", 1].seconds == 1.5


def test_monitor_of_an_unknown_domain_is_left_out(opens):
    opens(FakeConnection())
    assert host().monitors([RECORD], TIMEOUT) == {}


def test_question_to_libvirtd_that_gets_stuck_closes_its_connection_when_it_returns(opens, release):
    stuck = FakeConnection(list=release)
    opens(stuck, FakeConnection())
    one = host()
    with pytest.raises(DeadlineError):
        one.list_domains(SOON)
    assert (one.is_connected, one.stuck_calls, one.list_domains(TIMEOUT)) == (False, 0, [])
    release.set()
    wait_for(lambda: stuck.closed, 10, "the stuck connection's end")


def test_silent_libvirtd_takes_no_place_of_the_guests_calls(monkeypatch, release):
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: release.wait(60) and FakeConnection())
    one = host()
    for _ in range(6):
        with pytest.raises(UnreachableError):
            one.list_domains(0.01)
    assert (one.stuck_calls, one.has_spare_place) == (0, True)


def test_connection_that_opens_late_is_closed(monkeypatch, release):
    late = FakeConnection()
    monkeypatch.setattr(libvirt, "openReadOnly", lambda uri: release.wait(60) and late)
    with pytest.raises(UnreachableError):
        host().list_domains(SOON)
    release.set()
    wait_for(lambda: late.closed, 10, "the late connection's end")


@pytest.mark.parametrize(
    "error",
    [
        libvirt_error(libvirt.VIR_ERR_AUTH_FAILED),
        libvirt_error(libvirt.VIR_ERR_OPERATION_DENIED),
        libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 13),
    ],
)
def test_refused_write_access_is_told_in_one_line(opens, error):
    opens(error)
    with pytest.raises(WriteRefusedError, match=r"^uri: [^\n]+$"), host().writer(TIMEOUT):
        pass


def test_libvirtd_that_is_restarted_when_the_writer_connects_refuses_nothing(opens):
    opens(libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 111))
    with pytest.raises(UnreachableError), host().writer(TIMEOUT):
        pass


def test_writer_that_does_not_connect_in_time_is_no_domains_trouble(monkeypatch, release):
    monkeypatch.setattr(libvirt, "open", lambda uri: release.wait(60) and FakeConnection())
    with pytest.raises(UnreachableError, match=r"^uri: no answer"), host().writer(SOON):
        pass


def test_writer_is_closed_after_use(opens):
    connection = FakeConnection()
    opens(connection)
    with host().writer(TIMEOUT):
        assert connection.closed is False
    assert connection.closed is True


def test_writer_sets_the_period_of_the_running_domain(opens):
    domain = FakeDomain()
    opens(FakeConnection(domain))
    with host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, TIMEOUT)
    assert domain.periods == [(10, libvirt.VIR_DOMAIN_AFFECT_LIVE)]


def test_writer_that_gets_stuck_is_closed_when_it_returns(opens, release):
    connection = FakeConnection(FakeDomain(), lookup=release)
    opens(connection)
    with pytest.raises(DeadlineError), host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, SOON)
    assert connection.closed is False
    release.set()
    wait_for(lambda: connection.closed, 10, "the stuck connection's end")


def test_refused_write_is_told_from_an_error(opens):
    denied = libvirt_error(libvirt.VIR_ERR_ACCESS_DENIED)
    opens(FakeConnection(FakeDomain(error=denied)))
    with pytest.raises(WriteRefusedError), host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, TIMEOUT)


@pytest.mark.parametrize(
    "code", [libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_INVALID]
)
def test_domain_that_runs_on_is_not_gone_whatever_the_error(opens, code):
    opens(FakeConnection(FakeDomain(error=libvirt_error(code))))
    with pytest.raises(DomainError), host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, TIMEOUT)


def test_domain_that_ends_while_it_is_asked_is_gone_whatever_the_error(opens):
    error = libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)
    opens(FakeConnection(FakeDomain(ids=(1, -1), error=error)))
    with pytest.raises(DomainGoneError):
        host().live_xml(RECORD, TIMEOUT)


def test_domain_that_has_booted_anew_is_not_taken_for_the_one_that_was_read(opens):
    opens(FakeConnection(FakeDomain(ids=(2,))))
    with pytest.raises(DomainGoneError):
        host().has_job(RECORD, TIMEOUT)


def test_domain_that_libvirt_does_not_know_is_gone(opens):
    opens(FakeConnection())
    with pytest.raises(DomainGoneError):
        host().live_xml(RECORD, TIMEOUT)


def test_domain_that_may_not_be_read_is_its_own_trouble_alone(opens):
    denied = libvirt_error(libvirt.VIR_ERR_ACCESS_DENIED)
    opens(FakeConnection(FakeDomain(error=denied)))
    with pytest.raises(DomainError):
        host().live_xml(RECORD, TIMEOUT)


def test_domain_that_cannot_be_looked_up_is_no_domain_that_has_ended(opens):
    opens(FakeConnection(lookup=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)))
    with pytest.raises(DomainError):
        host().live_xml(RECORD, TIMEOUT)


def test_live_xml_is_given_as_it_is(opens):
    opens(FakeConnection(FakeDomain()))
    assert host().live_xml(RECORD, TIMEOUT) == "<domain/>"


def test_connection_is_closed_with_its_host(opens):
    connection = FakeConnection()
    opens(connection)
    one = host()
    one.list_domains(TIMEOUT)
    one.close()
    one.close()
    assert connection.closed is True


def test_lost_connection_is_closed_before_another_is_opened(opens):
    lost = FakeConnection()
    opens(lost, FakeConnection())
    one = host()
    one.list_domains(TIMEOUT)
    lost.alive = False
    one.list_domains(TIMEOUT)
    assert lost.closed is True


def test_connection_that_cannot_tell_whether_it_lives_does_not(opens, monkeypatch):
    connection = FakeConnection()
    opens(connection)
    one = host()
    one.list_domains(TIMEOUT)

    def fail():
        raise libvirt.libvirtError("closed")

    monkeypatch.setattr(connection, "isAlive", fail)
    assert one.is_connected is False


def test_closing_that_gets_stuck_is_not_waited_for(opens, release):
    opens(FakeConnection(close=release))
    with host().writer(SOON):
        pass


def test_connection_that_may_not_be_closed_any_more_is_not_closed_by_python(opens):
    connection = FakeConnection()
    opens(connection)
    one = host()
    with one.writer(TIMEOUT):
        one.stop()
    wait_for(lambda: connection._o is None, 10, "the connection let go")
    assert connection.closed is False


def test_connection_whose_call_was_interrupted_is_not_waited_for_again(opens, monkeypatch):
    connection = FakeConnection()
    opens(connection)
    one = host()
    one.list_domains(TIMEOUT)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(one._calls.daemon, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            one.list_domains(TIMEOUT)
    one.close()
    assert connection.closed is False


def test_stopped_host_is_not_asked_any_more(opens):
    opens(FakeConnection())
    one = host()
    one.stop()
    with pytest.raises(StoppedError, match="this process is ending"):
        one.list_domains(TIMEOUT)
