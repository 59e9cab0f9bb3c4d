# SPDX-License-Identifier: Apache-2.0
"""The trends of the live view."""

from types import SimpleNamespace

import pytest

from ceilometer_memballoon.cli.compute_node import Guest
from ceilometer_memballoon.cli.watch import Trends, repeat
from ceilometer_memballoon.errors import CommandError
from ceilometer_memballoon.reading import Reading, Reason, no_reading

MIB = 1024


def guest(time, used=100, faults=0, swapped=0, reason=None):
    """Return a guest of 1000 MiB with one report: time, MiB used and swapped in, faults."""
    stats = {
        "available": 1000 * MIB, "usable": (1000 - used) * MIB, "major_fault": faults,
        "swap_in": swapped * MIB, "swap_out": 0,
    }  # fmt: skip
    reading = Reading({}, stats) if reason is None else no_reading(reason)
    record = SimpleNamespace(uuid="uuid", name="domain", stats={**stats, "last_update": time})
    return Guest(SimpleNamespace(record=record, reading=reading, facts=None), None)


def shown(*reports):
    """Return the texts of the trend's cells after the last of these reports."""
    trends = Trends()
    for report in reports:
        cells = trends.update([report])["uuid"]
    return [cell.human_readable() for cell in cells]


def test_first_report_has_no_trend():
    assert shown(guest(0)) == ["-", "-", "-"]


def test_trend_is_per_second_between_two_reports():
    assert shown(guest(0), guest(10, used=90, faults=50, swapped=20)) == ["-10.0", "5.0", "2.0"]


def test_trend_stays_until_the_guest_reports_again():
    later = guest(10, used=130)
    assert shown(guest(0), later, later) == ["+30.0", "", ""]


def test_counters_that_start_again_have_no_rate():
    assert shown(guest(0, faults=50, swapped=9), guest(10)) == ["", "-", "-"]


@pytest.mark.parametrize("time", [10, 5])
def test_clock_that_was_set_back_gives_no_rate(time):
    assert shown(guest(20, faults=1), guest(time, faults=9))[1] == "-"


def test_report_that_is_not_used_has_no_trend():
    silent = guest(0, reason=Reason.STALE)
    assert shown(guest(0), silent) == ["-", "-", "-"]
    assert shown(guest(0), silent, guest(10)) == ["-", "-", "-"]


def test_view_continues_after_a_later_error(caplog):
    ends = iter([None, CommandError("libvirtd is restarted"), KeyboardInterrupt()])

    def show():
        if (end := next(ends)) is not None:
            raise end

    with pytest.raises(KeyboardInterrupt):
        repeat(show, 0)
    assert "libvirtd is restarted" in caplog.text


def test_first_error_ends_the_view():
    def show():
        raise CommandError("libvirtd is not running")

    with pytest.raises(CommandError):
        repeat(show, 0)
