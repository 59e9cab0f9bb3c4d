# SPDX-License-Identifier: Apache-2.0
"""The cloud, started once for all of its tests."""

import contextlib
import json

import pytest

from tests.cloud.alarm_day import AlarmDay
from tests.cloud.seen import wait_for_usage
from tests.conftest import lack
from tests.lab.chain.service import run
from tests.lab.cloud.cloud import Cloud
from tests.lab.cloud.requirements import missing


def pytest_configure(config):
    """Register the marker of the short form: ``tox -e cloud -- -m short``."""
    config.addinivalue_line("markers", "short: runs in the short form, ten minutes at most")


@pytest.fixture(scope="session")
def cloud(request):
    """The running cloud; skips its tests, or fails them under REQUIRE_LAB=1."""
    if lacking := missing():
        lack(f"no cloud on this machine without {'; '.join(lacking)}")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text):
        with capture.global_and_fixture_disabled():
            print(f"\ncloud: {text}", end="", flush=True)

    with Cloud(say) as running:
        yield running


def pytest_collection_modifyitems(items):
    """The alarms' tests last: what they wait for passes beside the others."""
    items.sort(key=lambda item: "alarm_day" in item.fixturenames)


@pytest.fixture(scope="session")
def alarm_day(cloud):
    """The day of the alarms, which has begun."""
    return AlarmDay(cloud)


@pytest.fixture(scope="session", autouse=True)
def begin_alarm_day(request):
    """Begin it before the first test, if there are tests of it."""
    if any("alarm_day" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("alarm_day")


@pytest.fixture(scope="module")
def boot(cloud):
    """Boot a server (arguments as Cloud.server) and wait until it reports.

    It is deleted after the module's tests. reports: whether to wait for its usage.
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
    """What ``ceilometer-memballoon guest list`` says of a server on its host."""

    def ask(server, host=None):
        host = host or server.host
        output = run(
            cloud.folder, "ceilometer-memballoon", "--config-file", host.agent.config,
            "guest", "list", "--format", "json",
        )  # fmt: skip
        (row,) = [row for row in json.loads(output) if server.id in row.values()] or [None]
        return row

    return ask
