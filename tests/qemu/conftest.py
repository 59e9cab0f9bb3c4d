# SPDX-License-Identifier: Apache-2.0
"""Polling cycles in this process, on lab guests."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.host import Host
from tests.lab.hypervisor import Hypervisor

TIMEOUT = 5.0


@pytest.fixture
def make_collector(hypervisor: Hypervisor) -> Iterator[Callable[..., Collector]]:
    """Make a collector for the lab; period: the option's, in seconds; ahead: of the clock."""
    with contextlib.ExitStack() as hosts:

        def make(period: int = 10, ahead: float = 0, timeout: float = TIMEOUT) -> Collector:
            host = hosts.enter_context(contextlib.closing(Host(hypervisor.uri, timeout)))
            return Collector(host, period, timeout, clock=lambda: time.time() + ahead)

        yield make
