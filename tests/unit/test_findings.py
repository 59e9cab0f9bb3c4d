# SPDX-License-Identifier: Apache-2.0
"""What a pass keeps of the answers to its reads."""

import pytest

from ceilometer_memballoon.errors import DomainError
from ceilometer_memballoon.record import Hold, Outcome
from tests.unit.simulated import Node, guests, uuids


@pytest.mark.parametrize("error", [DomainError("odd"), DomainError("OverflowError")])
def test_one_guests_error_is_its_own(error):
    node = Node(*guests(40))
    node.cycle()
    node.guests[20].error = error
    outcomes = node.cycle()
    assert outcomes.pop("g020") is Outcome.FAILED
    assert set(outcomes.values()) == {Outcome.READ}


def test_one_guests_error_is_warned_of_once_and_again_after_it_was_read(caplog):
    node = Node(*guests(3))
    node.guests[1].error = DomainError("odd")
    node.cycle()
    node.cycle()
    assert caplog.messages == ["Instance g001 cannot be read: odd"]
    node.guests[1].error = None
    node.cycle()
    node.guests[1].error = DomainError("odd")
    node.cycle()
    assert len(caplog.messages) == 2


def test_guest_that_ends_in_mid_cycle_is_in_no_record():
    node = Node(*guests(3))
    listed = node.host.list_domains

    def list_then_end(seconds):
        records = listed(seconds)
        del node.host.guests["g001"]
        return records

    node.host.list_domains = list_then_end
    assert node.read() == {"g000", "g002"}


def test_late_read_does_not_overwrite_newer_results():
    slow, *others = node_guests = guests(4)
    node = Node(*node_guests, visible=False)
    for _ in range(3):
        node.cycle()
    node.hang(slow, until=node.clock() + 0.4)
    # Another client holds the other guests when the late read reaches them.
    for guest in others:
        guest.holds.append((node.clock() + 0.4, float("inf"), Hold.JOB))
    assert node.read() == uuids(node_guests)
