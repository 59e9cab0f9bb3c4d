# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the cloud, which is started once."""

import contextlib
import json

import pytest

from tests.cloud.alarm_sequence import AlarmSequence
from tests.cloud.exported import wait_for_usage
from tests.conftest import skip_or_fail
from tests.lab.chain.service import run
from tests.lab.cloud.cloud import Cloud
from tests.lab.cloud.requirements import missing


def pytest_configure(config):
    """Register the marker for ``tox -e cloud -- -m short``."""
    config.addinivalue_line("markers", "short: runs in the short form, ten minutes at most")


@pytest.fixture(scope="session")
def cloud(request):
    """The running cloud. Skips its tests without one, or fails them under REQUIRE_LAB=1."""
    if lacking := missing():
        skip_or_fail(f"no cloud on this machine without {'; '.join(lacking)}")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def report(text):
        with capture.global_and_fixture_disabled():
            print(f"\ncloud: {text}", end="", flush=True)

    with Cloud(report) as running:
        yield running


def pytest_collection_modifyitems(items):
    """Run the tests of the alarms last, because they wait while the others run."""
    items.sort(key=lambda item: "alarm_sequence" in item.fixturenames)


@pytest.fixture(scope="session")
def alarm_sequence(cloud):
    """The sequence of alarm states, which has started."""
    return AlarmSequence(cloud)


@pytest.fixture(scope="session", autouse=True)
def start_alarm_sequence(request):
    """Start the sequence before the first test, if a test needs it."""
    if any("alarm_sequence" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("alarm_sequence")


@pytest.fixture(scope="module")
def boot(cloud):
    """Boot a server (arguments as Cloud.server) and wait until it reports.

    The server is deleted after the module's tests. reports: whether to wait for its usage.
    """
    with contextlib.ExitStack() as servers:

        def boot_one(name, *, reports=True, **options):
            server = cloud.server(name, **options)
            servers.callback(server.delete)
            server.wait_until_up()
            if reports:
                wait_for_usage(server)
            return server

        yield boot_one


@pytest.fixture(scope="session")
def verdict(cloud):
    """Return the server's verdict from ``ceilometer-memballoon guest list``."""

    def ask(server, host=None):
        host = host or server.host
        output = run(
            cloud.folder, "ceilometer-memballoon", "--config-file", host.agent.config,
            "guest", "list", "--format", "json",
        )  # fmt: skip
        (row,) = [row for row in json.loads(output) if server.id in row.values()] or [None]
        return row

    return ask
