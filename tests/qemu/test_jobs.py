# SPDX-License-Identifier: Apache-2.0
"""Domains that another libvirt job holds, and domains whose period the agent must not set."""

import contextlib
import re
import subprocess

import libvirt
import pytest

from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.reading import Reason
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor
from tests.lab.waiting import wait_for
from tests.qemu.conftest import timed_cycle

TIMEOUT = 2.0
SECONDS = 60


@pytest.fixture(scope="module")
def destination():
    """A second host."""
    with Hypervisor() as running:
        yield running


@contextlib.contextmanager
def slow_migration(guest, destination):
    """Migrate the guest to the other host at 1 MiB/s while the context is active."""
    source = guest.hypervisor
    moved = source.folder / f"{guest.name}.moved.xml"
    xml = guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)
    files = re.compile(re.escape(str(source.folder)) + f"(?=/{guest.name})")
    moved.write_text(files.sub(str(destination.folder), xml))
    guest.domain.migrateSetMaxSpeed(1)
    process = subprocess.Popen(
        ["virsh", "--connect", source.uri, "migrate", "--live", "--unsafe", "--bandwidth", "1",
         "--xml", moved, "--migrateuri", "tcp:127.0.0.1", guest.uuid, destination.uri],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: arrived(destination, guest), SECONDS, "the guest at its destination")
        yield process
    finally:
        with contextlib.suppress(libvirt.libvirtError):
            guest.domain.abortJob()
        process.communicate(timeout=SECONDS)


def arrived(destination, guest):
    return guest.name in [d.name() for d in destination.connection.listAllDomains()]


@pytest.mark.by_version
def test_slow_migration_that_comes_in_is_busy_and_costs_the_others_nothing(
    boot, boot_on, make_collector, destination, measured, caplog
):
    migrant, stays = boot("instance-migrant"), boot_on(destination, "instance-stays")
    collector = make_collector(uri=destination.uri, timeout=TIMEOUT)
    collector.readings({}, [])
    with slow_migration(migrant, destination) as process:
        cycles = [timed_cycle(collector) for _ in range(6)]
        assert process.poll() is None
    measured(
        "slow migration comes in", f"cycles of up to {max(s for _, s in cycles) * 1000:.0f} ms"
    )
    assert [found for found, _ in cycles] == [{stays.uuid: None, migrant.uuid: Reason.BUSY}] * 6
    assert max(seconds for _, seconds in cycles) < TIMEOUT / 2
    assert collector.host.stuck_calls == 0
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == []


def test_two_migrations_that_come_in_cost_no_cycle(
    boot_many, boot_on, make_collector, destination, measured
):
    migrants = boot_many(2)
    stays = boot_on(destination, "instance-stays")
    collector = make_collector(uri=destination.uri, timeout=TIMEOUT)
    with slow_migration(migrants[0], destination), slow_migration(migrants[1], destination):
        cycles = [timed_cycle(collector) for _ in range(4)]
    assert [found[stays.uuid] for found, _ in cycles] == [None] * 4
    assert max(seconds for _, seconds in cycles) < TIMEOUT / 2


def test_virsh_domjobinfo_names_the_job_of_a_guest(boot, destination):
    migrant = boot("instance-leaving")
    with slow_migration(migrant, destination):
        done = subprocess.run(
            ["virsh", "--connect", migrant.hypervisor.uri, "domjobinfo", migrant.name],
            check=True, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    assert re.search(r"Operation: +Outgoing migration", done.stdout)


@pytest.mark.by_version
def test_restore_of_a_saved_guest_is_busy_and_costs_the_others_nothing(
    own_hypervisor, make_collector, measured
):
    large = Guest(own_hypervisor, "instance-large", memory=512).wait_until_up()
    stays = Guest(own_hypervisor, "instance-stays", paused=True)
    large.take(300)
    collector = make_collector(uri=own_hypervisor.uri, timeout=TIMEOUT)
    collector.readings({}, [])
    image = own_hypervisor.folder / "saved"
    large.domain.save(str(image))
    restore = subprocess.Popen(
        ["virsh", "--connect", own_hypervisor.uri, "restore", image], stdout=subprocess.DEVNULL
    )
    cycles = []
    while restore.poll() is None:
        cycles.append(timed_cycle(collector))
    after = collector.readings({}, [])
    measured(
        "restore of a guest", f"{len(cycles)} cycles of up to {max(s for _, s in cycles):.2f} s"
    )
    assert {found[stays.uuid] for found, _ in cycles} == {Reason.PAUSED}
    assert Reason.NOT_RESPONDING not in {found.get(large.uuid) for found, _ in cycles}
    assert max(seconds for _, seconds in cycles) < TIMEOUT / 2
    assert after[large.uuid].host["rss"] > 0


def test_period_that_nova_chose_stays_where_the_option_is_only_the_default(boot, make_collector):
    novas, without = boot("instance-1", period=60), boot("instance-2", period=None)
    collector = make_collector(rule=PeriodRule(10, chosen=False))
    assert set(timed_cycle(collector)[0].values()) == {None}
    assert (novas.live_period(), without.live_period()) == (60, 10)


def test_period_that_the_operator_chose_is_enforced(boot, make_collector):
    guest = boot(period=60)
    make_collector(rule=PeriodRule(10, chosen=True)).readings({}, [])
    assert guest.live_period() == 10


def test_guest_with_a_period_of_60_s_is_fresh_for_as_long_as_that_allows(boot, make_collector):
    guest = boot(period=60)
    rule = PeriodRule(10, may_set=False)
    # Statistics 170 s old are younger than three periods of 60 s.
    assert make_collector(rule=rule, ahead=165).readings({}, [])[guest.uuid].reason is None
    late = make_collector(rule=rule, ahead=200).readings({}, [])[guest.uuid].reason
    assert late is Reason.STALE


def test_domain_that_nova_did_not_make_is_left_alone(boot, make_collector, caplog):
    foreign = boot(period=None, metadata="")
    collector = make_collector()
    assert foreign.uuid in collector.readings({}, [])
    assert foreign.live_period() == 0
    assert [text for text in caplog.messages if foreign.uuid in text] == []


def test_agent_that_may_not_set_periods_opens_no_read_write_connection(
    boot, make_collector, monkeypatch
):
    guest = boot(period=None)
    collector = make_collector(rule=PeriodRule(10, may_set=False))
    opened = []
    monkeypatch.setattr(libvirt, "open", opened.append)
    collector.readings({}, [])
    assert (guest.live_period(), opened) == (0, [])
