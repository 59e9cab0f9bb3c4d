# SPDX-License-Identifier: Apache-2.0
"""Tempest: the plugin's scenarios, and the tests of telemetry-tempest-plugin and their outcomes."""

import pytest

from tests.cloud.background import JOIN_SECONDS
from tests.cloud.tempest_run import LISTED, PEER, SCENARIOS
from tests.conftest import skip_or_fail
from tests.lab.cloud.tempest import PROGRAMS

#: The status of the tests in each part of the list.
STATUS = {"failed": "fail", "skipped": "skip"}

pytestmark = pytest.mark.timeout(JOIN_SECONDS + 60)


@pytest.fixture(scope="module")
def outcomes(tempest_run):
    """The outcomes of one run of Tempest, by the test's name."""
    if not (PROGRAMS / "tempest").exists():
        skip_or_fail("no environment with Tempest: run ./tools/fetch cloud")
    return tempest_run.wait()


def peers(outcomes):
    return {
        name.removeprefix(PEER): outcome
        for name, outcome in outcomes.items()
        if name.startswith(PEER)
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_our_scenario_passes(outcomes, name):
    # If its class cannot be set up, there is only the outcome of the class.
    outcome = outcomes.get(name) or outcomes[name.rpartition(".")[0]]
    assert outcome.status == "success", outcome.text


def test_all_peers_tests_pass_except_those_in_the_list(outcomes):
    found = {
        name: outcome for name, outcome in peers(outcomes).items() if outcome.status != "success"
    }
    listed = {name: STATUS[part] for part in STATUS for name in LISTED[part]}
    statuses = {name: outcome.status for name, outcome in found.items()}
    assert statuses == listed, [found[name] for name in sorted(set(found) - set(listed))]


def test_peers_tests_in_the_list_end_with_its_message(outcomes):
    expected = [(name, one["message"]) for part in STATUS for name, one in LISTED[part].items()]
    found = peers(outcomes)
    for name, message in expected:
        assert message in found[name].text, name


def test_most_peers_tests_pass(outcomes):
    assert sum(outcome.status == "success" for outcome in peers(outcomes).values()) >= 40
