# SPDX-License-Identifier: Apache-2.0
"""The small form of the benchmark. It checks the number of calls and prints the ratios."""

import pathlib
import subprocess
import sys

import pytest

from bench import node, report
from bench.contestants import FLOOR, METERS_OF, PLUGIN, STOCK, calls, contestants, measure
from tests.lab.guest import Guest

TREE = pathlib.Path(__file__).parents[2]
SECONDS = 120
GUESTS = 6
ROUNDS = 5
#: Calls of the stock pollsters for each guest in each cycle, and of their discovery, which starts
#: with a list.
STOCK_CALLS = (5 + 3) * GUESTS + 1
#: The plugin's calls: discovery, a list of running domains, and their statistics.
CALLS = 3


@pytest.fixture(scope="module")
def guests(hypervisor):
    running = [Guest(hypervisor, f"instance-{number}") for number in range(GUESTS)]
    for guest in running:
        guest.wait_until_up()
    yield running
    for guest in running:
        guest.destroy()


@pytest.mark.parametrize(("name", "expected"), [(PLUGIN, CALLS), (STOCK, STOCK_CALLS)])
def test_healthy_cycle_makes_the_expected_number_of_calls(guests, hypervisor, name, expected):
    assert calls(hypervisor, METERS_OF[name]) == expected


def test_benchmark_prints_the_ratios(guests, hypervisor, measured):
    with contestants(hypervisor) as laps:
        costs = measure(laps, ROUNDS)
    rows = report.ratios({GUESTS: costs}, {GUESTS: {PLUGIN: CALLS, STOCK: STOCK_CALLS}})
    measured("benchmark, small", "\n" + "\n".join(rows))
    # The margin is far above the noise: one call against thirty.
    assert costs[PLUGIN].wall < costs[STOCK].wall
    assert costs[FLOOR].wall > 0


@pytest.mark.parametrize("contestant", node.CONTESTANTS, ids=lambda one: one.name)
def test_whole_cycle_makes_the_expected_number_of_calls(guests, hypervisor, contestant):
    # These guests have no devices. Disks and interfaces would cost 6 more calls for each guest.
    expected = {
        "all stock": (5 + 3 + 6) * GUESTS + 1,
        "stock and ours": (5 + 3 + 6) * GUESTS + 1 + CALLS,
        "all served": CALLS,
    }
    assert node.calls(hypervisor, contestant) == expected[contestant.name]


def test_profile_of_the_simulated_connection_shows_the_costly_functions():
    words = ["-m", "cProfile", "-s", "tottime", "-m", "bench.simulated", "measure"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *words, '{"count": 3, "call": 0, "rounds": 1}'],
        check=True, capture_output=True, text=True, timeout=SECONDS, cwd=TREE,
    )  # fmt: skip
    assert "function calls" in done.stdout
