# SPDX-License-Identifier: Apache-2.0
"""libvirt's answers as records, with stand-ins for libvirt's objects."""

import libvirt
import pytest

from ceilometer_memballoon import answers
from ceilometer_memballoon.record import Hold, Monitor, Outcome
from tests.unit import recorded
from tests.unit.fake_libvirt import libvirt_error

GROUPS = answers.MEMORY_GROUPS
MONITOR = libvirt.VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR
INTERNAL = libvirt.VIR_DOMAIN_CONTROL_ERROR_REASON_INTERNAL
UNSUPPORTED = libvirt_error(libvirt.VIR_ERR_NO_SUPPORT)


class Domain:
    """A domain. methods: what each method returns or raises."""

    def __init__(self, uuid="a", number=1, **methods):
        self._uuid = uuid
        self._id = number
        self._methods = {"maxMemory": 4, "state": [1, 1]} | methods

    def UUIDString(self):  # noqa: N802
        return self._uuid

    def ID(self):  # noqa: N802
        return self._id

    def name(self):
        return f"instance-{self._uuid}"

    def __getattr__(self, method):
        if method not in self._methods:
            raise AttributeError(method)
        return lambda *arguments: _give(self._methods[method])


def _give(value):
    if isinstance(value, Exception):
        raise value
    return value


class Connection:
    """A connection with these (domain, fields).

    stats: An error to raise instead.
    listed: What listAllDomains returns.
    """

    def __init__(self, *found, stats=None, listed=()):
        self.found = list(found)
        self.stats = stats
        self.listed = list(listed)
        self.flags = []

    def getAllDomainStats(self, groups, flags):  # noqa: N802
        self.flags.append(flags)
        return _give(self.stats or self.found)

    def domainListGetStats(self, domains, groups, flags):  # noqa: N802
        self.flags.append(flags)
        return _give(self.stats or self.found)

    def listAllDomains(self, flags):  # noqa: N802
        return self.listed


def read(*found, groups=GROUPS, **connection):
    domains = [domain for domain, _ in found] or connection.pop("domains")
    return answers.read(Connection(*found, **connection), domains, groups)


def test_every_read_of_guests_uses_nowait():
    connection = Connection((Domain(), recorded.RUNNING))
    answers.list_domains(connection)
    answers.read(connection, [Domain()], GROUPS)
    assert all(flags & answers.NOWAIT for flags in connection.flags)


def test_listed_domain_was_not_asked():
    ((record, domain),) = answers.list_domains(
        Connection((Domain(), {"state.state": 3, "state.reason": 5}))
    )
    found = (record.uuid, record.id, record.name, record.state, record.state_reason)
    assert found == ("a", 1, "instance-a", 3, 5)
    assert (record.outcome, domain.UUIDString()) == (Outcome.NOT_ASKED, "a")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        (recorded.RUNNING, Outcome.READ),
        (recorded.NO_DRIVER, Outcome.READ),
        (recorded.NO_DEVICE, Outcome.READ),
        (recorded.NEVER_RUN, Outcome.READ),
        (recorded.BUSY, Outcome.BUSY),
        ({"state.state": 1, "balloon.maximum": 4}, Outcome.BUSY),
    ],
)
def test_record_with_only_the_balloon_sizes_means_busy(fields, outcome):
    (record,) = read((Domain(), fields))
    assert record.outcome is outcome


def test_fields_are_kept_as_they_are():
    (record,) = read((Domain(), recorded.RUNNING))
    assert record.fields == recorded.RUNNING


def test_domain_that_has_ended_is_left_out():
    assert read((Domain(number=-1), recorded.RUNNING)) == []


def test_domain_that_has_ended_is_asked_for_no_memory_statistics():
    error = libvirt_error(libvirt.VIR_ERR_OPERATION_INVALID)
    assert read((Domain(number=-1, memoryStats=error), {"state.state": 5})) == []


def test_nothing_is_asked_for_no_domain():
    connection = Connection((Domain(), recorded.RUNNING))
    assert (answers.read(connection, [], GROUPS), connection.flags) == ([], [])


def test_driver_without_balloon_fields_is_asked_for_memory_stats():
    domain = Domain(memoryStats={"actual": 3, "last_update": 7})
    (record,) = read((domain, {"state.state": 1}))
    assert record.stats == {"actual": 3, "last_update": 7, "maximum": 4}


def test_driver_whose_statistics_have_no_actual_is_read():
    (record,) = read((Domain(memoryStats={"rss": 3}), {}))
    assert record.stats == {"rss": 3, "maximum": 4}


def test_driver_without_memory_statistics_has_none():
    (record,) = read((Domain(memoryStats=UNSUPPORTED), {}))
    assert (record.outcome, record.stats) == (Outcome.READ, {})


def test_failed_memory_stats_raise():
    with pytest.raises(libvirt.libvirtError):
        read((Domain(memoryStats=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)), {}))


def test_read_without_the_balloon_group_asks_for_no_memory_stats():
    (record,) = read((Domain(), {"state.state": 1}), groups=libvirt.VIR_DOMAIN_STATS_STATE)
    assert record.outcome is Outcome.READ


def test_driver_without_bulk_statistics_lists_its_domains():
    listed = [Domain("a"), Domain("b", state=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR))]
    found = answers.list_domains(Connection(stats=UNSUPPORTED, listed=listed))
    assert [record.uuid for record, _ in found] == ["a", "b"]


def test_driver_without_bulk_statistics_is_asked_for_the_domains_of_a_read_alone():
    a, b = Domain("a", memoryStats={"rss": 1}), Domain("b", memoryStats={"rss": 2})
    (record,) = read(stats=UNSUPPORTED, listed=[a, b], domains=[b])
    assert (record.uuid, record.stats["rss"]) == ("b", 2)


@pytest.mark.parametrize("ask", [answers.list_domains, lambda c: answers.read(c, [1], GROUPS)])
def test_any_other_error_is_raised(ask):
    with pytest.raises(libvirt.libvirtError):
        ask(Connection(stats=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)))


@pytest.mark.parametrize(
    ("control", "monitor"),
    [
        ((libvirt.VIR_DOMAIN_CONTROL_OK, 0, 0), Monitor(Hold.NOTHING, 0)),
        ((libvirt.VIR_DOMAIN_CONTROL_JOB, 0, 1500), Monitor(Hold.JOB, 1.5)),
        ((libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 1500), Monitor(Hold.MONITOR, 1.5)),
        ((libvirt.VIR_DOMAIN_CONTROL_ERROR, MONITOR, 0), Monitor(Hold.BROKEN, 0)),
        ((libvirt.VIR_DOMAIN_CONTROL_ERROR, INTERNAL, 3), Monitor(Hold.JOB, 0.003)),
    ],
)
def test_hold_comes_from_control_info(control, monitor):
    domain = Domain(controlInfo=control)
    assert dict(answers.monitors([(("a", 1), domain)])) == {("a", 1): monitor}


def test_what_holds_a_domain_without_control_info_is_unknown():
    broken, well = Domain(controlInfo=UNSUPPORTED), Domain(controlInfo=(0, 0, 0))
    found = dict(answers.monitors([(("a", 1), broken), (("b", 2), well)]))
    assert [monitor.hold for monitor in found.values()] == [Hold.UNKNOWN, Hold.NOTHING]


def test_domain_without_novas_metadata_is_left_out():
    foreign, novas = Domain(metadata=UNSUPPORTED), Domain(metadata="<instance/>")
    found = answers.nova_metadata([(("a", 1), foreign), (("b", 2), novas)])
    assert dict(found) == {("b", 2): "<instance/>"}


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ([libvirt.VIR_DOMAIN_JOB_NONE, 0], False),
        ([libvirt.VIR_DOMAIN_JOB_UNBOUNDED, 0], True),
        (UNSUPPORTED, False),
        # libvirt refuses the question at a migration's destination.
        (libvirt_error(libvirt.VIR_ERR_OPERATION_INVALID), True),
    ],
)
def test_long_job_comes_from_job_info(job, expected):
    assert answers.has_job(Domain(jobInfo=job)) is expected


def test_error_of_job_info_is_raised():
    with pytest.raises(libvirt.libvirtError):
        answers.has_job(Domain(jobInfo=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)))
