# SPDX-License-Identifier: Apache-2.0
"""The log lines about guests that a cycle left out."""

import logging

from tests.unit.simulated import Node, die_at_read, guests


def slow_or_fast(caplog):
    """The beginnings of the messages that libvirt is slow, or fast again."""
    return [text.partition(":")[0] for text in caplog.messages if text.startswith("libvirt is")]


def test_outage_that_leaves_guests_out_is_warned_of_once(caplog):
    node = Node(*guests(26), visible=False)
    node.hang(*node.guests[2:])
    for _ in range(3):
        node.cycle()
    (message,) = caplog.messages
    assert message.startswith(
        "3 calls to QEMU are stuck on this host. The agent does not ask 21 guests"
    )


def test_end_of_an_outage_is_logged(caplog):
    caplog.set_level(logging.INFO)
    node = Node(*guests(26), visible=False)
    node.hang(*node.guests[2:])
    node.cycle()
    node.recover(*node.guests)
    node.cycle()
    assert caplog.messages[1:] == ["The agent asks all guests again: fewer calls are stuck."]


def test_budget_used_up_by_calls_that_are_no_reads_is_warned_of(caplog):
    node = Node(*guests(20))
    node.host.most_stuck = 0
    node.host.stuck_calls = 4
    node.cycle()
    (message,) = caplog.messages
    assert message.startswith(
        "4 calls to QEMU are stuck on this host. The agent does not ask 20 guests"
    )


def test_slow_host_is_warned_of_once_with_the_figures(caplog):
    node = Node(*guests(12, seconds=0.4), timeout=2.0)
    for _ in range(6):
        node.cycle()
    warnings = [message for message in caplog.messages if "slow" in message]
    assert len(warnings) == 1
    assert "of 12 guests were read in 1.6 s, and a guest usually takes 0.4 s" in warnings[0]


def test_host_that_is_fast_again_is_logged(caplog):
    caplog.set_level(logging.INFO)
    node = Node(*guests(12, seconds=0.4), timeout=2.0)
    for _ in range(3):
        node.cycle()
    for guest in node.guests:
        guest.seconds = 0.001
    for _ in range(3):
        node.cycle()
    assert caplog.messages[-1] == "libvirt is fast enough again."


def test_host_that_only_just_reads_all_guests_is_not_called_fast(caplog):
    caplog.set_level(logging.INFO)
    node = Node(*guests(12, seconds=0.4), timeout=2.0)
    for seconds in (0.4, 0.4, 0.12, 0.12, 0.4, 0.4):
        for guest in node.guests:
            guest.seconds = seconds
        node.cycle()
    assert slow_or_fast(caplog) == ["libvirt is slow on this host"]


def test_cycle_cut_short_by_libvirtd_is_logged(caplog):
    node = Node(*guests(3))
    die_at_read(node, 2)
    node.cycle()
    (message,) = caplog.messages
    assert message == "libvirt stopped answering after the agent had read 1 of 3 guests: gone"
