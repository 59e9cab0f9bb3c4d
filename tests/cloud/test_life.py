# SPDX-License-Identifier: Apache-2.0
"""A server from its boot to its deletion: samples and verdicts in every state."""

import pytest

from ceilometer_memballoon.cli.columns import OK
from ceilometer_memballoon.reading import Reason
from tests.cloud.exported import meters, wait_for_silence, wait_for_usage, warnings_about
from tests.lab.waiting import wait_long_for

SECONDS = 120
#: The verdicts on a server whose guest has just started.
STARTING = {Reason.BOOTING.value, OK}


@pytest.fixture(scope="module")
def server(boot):
    return boot("lived", host="compute-1")


@pytest.fixture(autouse=True)
def no_warnings(server):
    """Check after each test that nothing above INFO was logged about the server."""
    before = warnings_about(server)
    host = server.host
    yield
    assert warnings_about(server, host)[len(before) :] == []


@pytest.fixture
def act(cloud, server):
    """Start an action of Nova's API and wait for the resulting status."""

    def do(action, status, *arguments, **options):
        getattr(cloud.admin.compute, action)(server.id, *arguments, **options)
        server.wait_for_status(status)

    return do


@pytest.fixture
def check_that_it_reports(server, verdict):
    """Wait for samples of a new cycle, and check the server's verdict."""

    def check(host=None):
        wait_for_usage(server, host, fresh=True)
        assert verdict(server, host) == OK

    return check


@pytest.mark.short
def test_running_server_has_the_verdict_ok(server, verdict):
    assert verdict(server) == OK


@pytest.mark.short
def test_booting_server_is_not_reported_as_driverless(server):
    log = server.host.agent.log_text()
    assert not [
        line
        for line in log.splitlines()
        if server.id in line and Reason.NO_GUEST_DRIVER.value in line
    ]


@pytest.mark.short
def test_paused_server_has_the_verdict_paused(server, act, verdict, check_that_it_reports):
    act("pause_server", "PAUSED")
    wait_for_silence(server, resident=True)
    assert verdict(server) == Reason.PAUSED.value
    act("unpause_server", "ACTIVE")
    check_that_it_reports()


@pytest.mark.short
def test_stopped_server_has_no_samples(server, act, verdict, check_that_it_reports):
    act("stop_server", "SHUTOFF")
    wait_for_silence(server, resident=False)
    assert verdict(server) is None
    act("start_server", "ACTIVE")
    check_that_it_reports()


def test_suspended_server_has_no_samples(server, act, verdict, check_that_it_reports):
    act("suspend_server", "SUSPENDED")
    wait_for_silence(server, resident=False)
    assert verdict(server) is None
    act("resume_server", "ACTIVE")
    check_that_it_reports()


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_rebooted_server_reports_again(server, act, verdict, check_that_it_reports, kind):
    act("reboot_server", "ACTIVE", kind)
    assert verdict(server) in STARTING
    check_that_it_reports()


def test_rebuilt_server_reports_again(cloud, server, act, verdict, check_that_it_reports):
    act("rebuild_server", "ACTIVE", image=cloud.content.image_id)
    assert verdict(server) in STARTING
    check_that_it_reports()


def test_resized_server_has_its_new_memory(cloud, server, act, verdict):
    before = meters(server)["ceilometer_memory_available"]
    act("resize_server", "VERIFY_RESIZE", cloud.content.flavor_ids["lab-big"])
    assert verdict(server) in STARTING
    act("confirm_server_resize", "ACTIVE")
    wait_long_for(
        lambda: meters(server).get("ceilometer_memory_available", 0) > before,
        SECONDS,
        "more memory",
    )
    assert verdict(server) == OK


def test_rescued_server_reports(server, act, check_that_it_reports):
    act("rescue_server", "RESCUE")
    check_that_it_reports()
    act("unrescue_server", "ACTIVE")
    check_that_it_reports()


def test_shelved_server_has_no_samples(server, act, verdict, check_that_it_reports):
    host = server.host
    act("shelve_server", "SHELVED_OFFLOADED")
    wait_for_silence(server, resident=False, host=host)
    assert verdict(server, host) is None
    act("unshelve_server", "ACTIVE")
    check_that_it_reports()


def test_live_migration_moves_the_samples(cloud, server, verdict, check_that_it_reports):
    for _ in ("there", "back"):
        source = server.host
        (target,) = [host for host in cloud.hosts.values() if host is not source]
        cloud.admin.compute.live_migrate_server(server.id, host=target.name, block_migration="auto")
        server.wait_for_status("ACTIVE")
        wait_long_for(lambda t=target: server.host is t, SECONDS, "the migration")
        check_that_it_reports(target)
        wait_for_silence(server, resident=False, host=source)
        assert verdict(server, source) is None


def test_deleted_server_has_no_samples(cloud, verdict):
    server = cloud.server("deleted").wait_for_status("ACTIVE")
    host = server.host
    assert verdict(server) in STARTING
    wait_for_usage(server)
    server.delete()
    wait_for_silence(server, resident=False, host=host)
    assert verdict(server, host) is None
    assert warnings_about(server, host) == []
