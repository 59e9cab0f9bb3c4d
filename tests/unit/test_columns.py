# SPDX-License-Identifier: Apache-2.0
"""The cells of the command's tables."""

import sys

import pytest

from ceilometer_memballoon.cli.columns import Cell, Duration, Name, Verdict


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_missing_value_is_a_dash_in_a_table_and_null_elsewhere():
    assert (Cell(None).human_readable(), Cell(None).machine_readable()) == ("-", None)


def test_missing_values_come_last():
    assert [c.machine_readable() for c in sorted([Cell(None), Cell(2), Cell(1)])] == [1, 2, None]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (1e6, "11 d")]
)
def test_duration_is_shown_in_the_largest_unit_that_counts(seconds, shown):
    assert Duration(int(seconds)).human_readable() == shown


def test_long_name_is_cut():
    assert Name("a" * 15).human_readable() == "a" * 13 + "…"


def test_problem_stands_out_on_a_terminal(terminal):
    assert Verdict("stale").human_readable() == "\033[33mstale\033[0m"


def test_ok_does_not_stand_out(terminal):
    assert Verdict("ok").human_readable() == "ok"


def test_no_color_variable_is_respected(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert Verdict("stale").human_readable() == "stale"
