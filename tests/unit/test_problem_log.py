# SPDX-License-Identifier: Apache-2.0
"""A problem is logged when it starts, changes and ends."""

import logging

import pytest

from ceilometer_memballoon.problem_log import ProblemLog


@pytest.fixture(autouse=True)
def _all_levels(caplog):
    caplog.set_level(logging.DEBUG, "ceilometer_memballoon")


def test_same_message_about_the_same_thing_is_logged_once(caplog):
    changes = ProblemLog()
    for _ in range(3):
        changes.log("libvirt", logging.WARNING, "broken: %s", "why")
    assert caplog.messages == ["broken: why"]


def test_another_message_about_the_same_thing_is_logged(caplog):
    changes = ProblemLog()
    changes.log("libvirt", logging.WARNING, "broken: %s", "why")
    changes.log("libvirt", logging.WARNING, "broken: %s", "otherwise")
    assert caplog.messages == ["broken: why", "broken: otherwise"]


def test_same_message_about_another_thing_is_logged(caplog):
    changes = ProblemLog()
    changes.log("one", logging.WARNING, "broken")
    changes.log("two", logging.WARNING, "broken")
    assert caplog.messages == ["broken", "broken"]


def test_recovery_is_logged_once(caplog):
    changes = ProblemLog()
    changes.log("libvirt", logging.WARNING, "broken")
    changes.clear("libvirt", "mended")
    changes.clear("libvirt", "mended")
    assert caplog.messages == ["broken", "mended"]


def test_recovery_can_be_silent(caplog):
    changes = ProblemLog()
    changes.log("libvirt", logging.WARNING, "broken")
    changes.clear("libvirt")
    assert caplog.messages == ["broken"]


def test_recurring_problem_is_logged_again(caplog):
    changes = ProblemLog()
    changes.log("libvirt", logging.WARNING, "broken")
    changes.clear("libvirt")
    changes.log("libvirt", logging.WARNING, "broken")
    assert caplog.messages == ["broken", "broken"]


def test_forgotten_subjects_are_logged_again(caplog):
    changes = ProblemLog()
    changes.log("kept", logging.WARNING, "broken")
    changes.log("dropped", logging.WARNING, "broken")
    changes.forget_all_but({"kept"})
    changes.log("kept", logging.WARNING, "broken")
    changes.log("dropped", logging.WARNING, "broken")
    assert len(caplog.messages) == 3


def test_control_characters_cannot_forge_a_line(caplog):
    ProblemLog().log("it", logging.WARNING, "broken: %s", "a\n2026 ERROR b\x1b[2J\u2028c")
    assert caplog.messages == ["broken: a\\n2026 ERROR b\\x1b[2J\\u2028c"]


def test_changed_arguments_are_not_logged_again_with_once(caplog):
    changes = ProblemLog()
    changes.log("libvirt", logging.WARNING, "%s stuck", 3, once=True)
    changes.log("libvirt", logging.WARNING, "%s stuck", 4, once=True)
    assert caplog.messages == ["3 stuck"]


def test_once_message_is_logged_again_after_recovery(caplog):
    changes = ProblemLog()
    changes.log("libvirt", logging.WARNING, "stuck", once=True)
    changes.clear("libvirt")
    changes.log("libvirt", logging.WARNING, "stuck", once=True)
    assert caplog.messages == ["stuck", "stuck"]


def test_traceback_is_logged_where_it_is_wanted(caplog):
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        ProblemLog().log("it", logging.ERROR, "broken", trace=True)
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
