# SPDX-License-Identifier: Apache-2.0
"""What the plugin remembers of each boot of a domain."""

import pytest

from ceilometer_memballoon.history import History
from ceilometer_memballoon.record import Outcome, Record
from tests.unit import recorded

BOOT_SECONDS = 120
NOW = recorded.LAST_UPDATE + 5


class Processes:
    """When each QEMU started, by UUID, as far as /proc shows it."""

    def __init__(self, **times):
        self.times = times
        self.searches = []

    def started(self, uuids):
        self.searches.append(list(uuids))
        return {uuid: self.times[uuid] for uuid in uuids if uuid in self.times}


def record(uuid="a", fields=recorded.RUNNING, boot=1, outcome=Outcome.READ):
    return Record(uuid, boot, uuid, outcome=outcome, fields=fields)


def history(*reads, processes=None):
    """Return a history of these reads: pairs of a time and a record."""
    made = History(BOOT_SECONDS, processes or Processes())
    for now, one in reads:
        made.update([one], now)
    return made


def test_last_report_is_that_of_the_statistics():
    assert history((NOW, record())).last_report(record()) == recorded.LAST_UPDATE


def test_guest_that_never_reported_has_no_age():
    silent = record(fields=recorded.NO_DRIVER)
    assert history((NOW, silent)).age(silent, NOW) is None


@pytest.mark.parametrize("outcome", [Outcome.BUSY, Outcome.NOT_RESPONDING, Outcome.NOT_ASKED])
def test_age_of_a_guest_that_is_not_read_goes_on(outcome):
    unread = record(fields={}, outcome=outcome)
    known = history((NOW, record()), (NOW + 60, unread))
    assert known.age(unread, NOW + 60) == 65


def test_guest_that_was_never_seen_has_no_age():
    assert history().age(record(), NOW) is None


def test_guest_that_was_never_seen_is_not_booting():
    assert history().is_booting(record(), NOW) is False


def test_new_boot_forgets_the_previous_one():
    again = record(fields=recorded.NO_DRIVER, boot=2)
    assert history((NOW, record()), (NOW + 60, again)).last_report(again) is None


def test_departed_domain_is_forgotten():
    known = history((NOW, record("a")), (NOW, record("b")))
    assert known.last_report(record("a")) is None


@pytest.mark.parametrize(("after", "expected"), [(0, True), (119, True), (120, False)])
def test_guest_is_booting_for_a_while_after_its_qemu_has_started(after, expected):
    silent = record(fields=recorded.NO_DRIVER)
    known = history((NOW + after, silent), processes=Processes(a=NOW))
    assert known.is_booting(silent, NOW + after) is expected


def test_guest_found_at_the_agents_start_is_not_booting_where_proc_does_not_show_it():
    silent = record(fields=recorded.NO_DRIVER)
    assert history((NOW, silent)).is_booting(silent, NOW) is False


def test_guest_found_later_is_booting_where_proc_does_not_show_it():
    silent = record(fields=recorded.NO_DRIVER)
    known = history((NOW, record("b")), (NOW + 60, silent))
    assert known.is_booting(silent, NOW + 60) is True


def test_guest_that_has_reported_is_not_booting():
    known = history((NOW, record()), processes=Processes(a=NOW - 10))
    assert known.is_booting(record(), NOW) is False


@pytest.mark.parametrize(("after", "expected"), [(0, True), (119, True), (120, False)])
def test_guest_whose_statistics_were_cleared_is_booting_for_a_while(after, expected):
    silent = record(fields=recorded.NO_DRIVER)
    known = history((NOW, record()), (NOW + 60, silent), (NOW + 60 + after, silent))
    assert known.is_booting(silent, NOW + 60 + after) is expected


def test_guest_that_reports_again_after_its_reboot_can_reboot_once_more():
    silent = record(fields=recorded.NO_DRIVER)
    known = history((NOW, record()), (NOW + 1, silent), (NOW + 200, record()), (NOW + 400, silent))
    assert known.is_booting(silent, NOW + 400) is True


def test_second_read_of_a_cycle_counts():
    silent = record(fields=recorded.NO_DRIVER)
    known = history((NOW, silent))
    known.note([record()], NOW)
    assert known.last_report(record()) == recorded.LAST_UPDATE


def test_processes_are_searched_once_for_all_new_domains():
    processes = Processes()
    known = History(BOOT_SECONDS, processes)
    both = [record("a"), record("b")]
    known.update(both, NOW)
    known.update([*both, record("c")], NOW)
    known.update([*both, record("c")], NOW)
    assert processes.searches == [["a", "b"], ["c"]]
