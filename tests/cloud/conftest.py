# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the cloud, which is started once."""

import contextlib
import json

import pytest

from ceilometer_memballoon.reading import Reason
from tests.cloud.alarm_sequence import AlarmSequence
from tests.cloud.autoscaling import TEMPLATES, Autoscaling
from tests.cloud.exported import wait_for_usage
from tests.cloud.logs import errors_in, keep
from tests.cloud.tempest_run import TempestRun
from tests.cloud.tool import Tool
from tests.conftest import skip_or_fail
from tests.lab.chain.service import run
from tests.lab.cloud.cloud import Cloud
from tests.lab.cloud.requirements import missing
from tests.lab.waiting import wait_long_for

#: The order of the tests. Until the stacks, alarms and Tempest have ended, which run beside the
#: first ones, no agent is restarted and no server loses its balloon.
ORDER = (
    "test_life", "test_gnocchi", "test_heat", "test_tempest", "test_seed", "test_aodh",
    "test_nova_conf", "test_rights", "test_discovery", "test_busy_day", "test_tool",
)  # fmt: skip
#: Fixtures that start something long, which runs beside the tests.
FROM_THE_START = ("alarm_sequence", "autoscaling", "tempest_run")
#: Seconds between two polls, because most tests wait for the next one.
POLL_SECONDS = 5
BUSY_SECONDS = 15


def pytest_configure(config):
    """Register the marker for ``tox -e cloud -- -m short``. Silence openstacksdk's warnings."""
    config.addinivalue_line("markers", "short: runs in the short form, ten minutes at most")
    # openstacksdk warns of its own calls, thousands of times.
    config.addinivalue_line("filterwarnings", "ignore::Warning:openstack")


def pytest_collection_modifyitems(items):
    """Sort the tests by ORDER. Tests of other files are last."""
    places = {name: place for place, name in enumerate(ORDER)}
    items.sort(key=lambda item: places.get(item.path.stem, len(ORDER)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Add the errors in the services' logs to the report of a failed test."""
    report = yield
    cloud = getattr(item, "funcargs", {}).get("cloud")
    if report.failed and cloud is not None:
        report.sections.append(("errors in the cloud's logs", errors_in(cloud.folder)))
    return report


@pytest.fixture(scope="session")
def cloud(request):
    """The running cloud. Skips its tests without one, or fails them under REQUIRE_LAB=1."""
    if lacking := missing():
        skip_or_fail(f"no cloud on this machine without {'; '.join(lacking)}")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def report(text):
        with capture.global_and_fixture_disabled():
            print(f"\ncloud: {text}", end="", flush=True)

    with Cloud(report, interval=POLL_SECONDS) as running:
        yield running
        if request.session.testsfailed:
            report(f"all logs are in {keep(running.folder)}\n")


@pytest.fixture(scope="session")
def alarm_sequence(cloud):
    """The sequence of alarm states, which has started."""
    return AlarmSequence(cloud)


@pytest.fixture(scope="session")
def autoscaling(cloud):
    """The lives of the autoscaling stacks by template. They have started."""
    return {template: Autoscaling(cloud, template) for template in TEMPLATES}


@pytest.fixture(scope="session")
def tempest_run(cloud):
    """The run of Tempest. It has started."""
    return TempestRun(cloud)


@pytest.fixture(scope="session")
def tool(tmp_path_factory):
    """The running ./tools/cloud. It is interrupted after the tests."""
    with Tool(tmp_path_factory.mktemp("tool") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def tool_beside(request):
    """Start ./tools/cloud if a test of the session needs it. It comes up beside other tests."""
    _start_if_needed(request, "tool")


def _start_if_needed(request, fixture):
    if any(fixture in item.fixturenames for item in request.session.items):
        request.getfixturevalue(fixture)


@pytest.fixture(scope="session", autouse=True)
def start_what_is_long(request):
    """Start before the first test what runs beside the tests."""
    for fixture in FROM_THE_START:
        _start_if_needed(request, fixture)


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
    """Return the server's verdict from ``ceilometer-memballoon guest list``.

    None: The host has no such guest.
    """

    def ask(server, host=None):
        host = host or server.host
        output = run(
            cloud.folder, "ceilometer-memballoon", "--config-file", host.agent.config,
            "guest", "list", "--format", "json",
        )  # fmt: skip
        verdicts = {row["Instance"]: row["Verdict"] for row in json.loads(output)}
        return verdicts.get(server.id)

    def ask_until_not_busy(server, host=None):
        return wait_long_for(
            lambda: [found for found in (ask(server, host),) if found != Reason.BUSY.value],
            BUSY_SECONDS,
            f"verdict of {server.name} other than busy",
        )[0]

    return ask_until_not_busy
