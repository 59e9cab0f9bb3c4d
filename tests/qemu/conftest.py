# SPDX-License-Identifier: Apache-2.0
"""Polling cycles in this process, on lab guests."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.history import History
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import PeriodRule
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.reader import Reader
from tests.lab.hypervisor import Hypervisor

TIMEOUT = 5.0


class NoProcesses(QemuProcesses):
    """What a container without the host's processes sees: no process."""

    def halted(self, uuids):
        return set()

    def started(self, uuids):
        return {}


def timed_cycle(collector):
    """Run a cycle. Return the reasons by UUID, and the cycle's length in seconds."""
    begin = time.monotonic()
    readings = collector.readings({}, [])
    seconds = time.monotonic() - begin
    return {uuid: reading.reason for uuid, reading in readings.items()}, seconds


@pytest.fixture
def own_hypervisor():
    """A libvirtd that only this test uses, for example because its workers get stuck."""
    with Hypervisor() as running:
        yield running


@pytest.fixture
def make_collector(hypervisor: Hypervisor) -> Iterator[Callable[..., Collector]]:
    """Make a collector for the lab.

    rule: The configuration's rule about periods.
    ahead: Seconds by which its clock is ahead.
    timeout: Seconds of a cycle.
    most_stuck, boot_seconds: As the options.
    proc: Whether it sees the host's processes.
    uri: Another address than the lab's.
    """
    with contextlib.ExitStack() as hosts:

        def make(
            period: int = 10,
            *,
            rule: PeriodRule | None = None,
            ahead: float = 0,
            timeout: float = TIMEOUT,
            most_stuck: int = 4,
            boot_seconds: float = 0,
            proc: bool = True,
            uri: str | None = None,
        ) -> Collector:
            processes = QemuProcesses() if proc else NoProcesses()
            host = Host(uri or hypervisor.uri, timeout, most_stuck)
            hosts.enter_context(contextlib.closing(host))
            periods = PeriodKeeper(host, rule or PeriodRule(period))
            history = History(boot_seconds, processes)
            return Collector(
                Reader(host, timeout, most_stuck, processes),
                periods,
                Judge(periods, history, lambda: time.time() + ahead),
                timeout,
            )

        yield make
