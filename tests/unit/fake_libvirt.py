# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for libvirt's connections, domains and errors, and a host that uses them."""

import threading

import libvirt

from ceilometer_memballoon.host import Host
from ceilometer_memballoon.record import Record

#: Seconds that no test reaches, and seconds after which a test gives up waiting.
TIMEOUT = 10
SOON = 0.05
RECORD = Record("a", 1, "a")
BALLOON = libvirt.VIR_DOMAIN_STATS_BALLOON
#: The answer of a connection that is lost when it is used.
LOST = "lost"


def libvirt_error(code, errno=0):
    error = libvirt.libvirtError("failed")
    error.err = (code, 0, "failed\nbadly", 0, "", "", "", errno, 0)
    return error


class FakeDomain:
    """One domain.

    ids: What ID() returns in turn.
    error: What any question raises.
    stuck: The event that a question about its monitor waits for.
    asked: The event that this question sets.
    """

    def __init__(self, uuid="a", ids=(1,), error=None, stuck=None, asked=None):
        self.uuid = uuid
        self.ids = list(ids)
        self.error = error
        self.stuck = stuck
        self.asked = asked
        self.periods = []

    def ID(self):  # noqa: N802
        return self.ids.pop(0) if len(self.ids) > 1 else self.ids[0]

    def UUIDString(self):  # noqa: N802
        return self.uuid

    def name(self):
        return self.uuid

    def XMLDesc(self, flags):  # noqa: N802
        if self.error is not None:
            raise self.error
        return "<domain/>"

    def jobInfo(self):  # noqa: N802
        if self.error is not None:
            raise self.error
        return [0]

    def controlInfo(self):  # noqa: N802
        if self.stuck is not None:
            if self.asked is not None:
                self.asked.set()
            self.stuck.wait(60)
        return (libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 1500)

    def setMemoryStatsPeriod(self, period, flags):  # noqa: N802
        if self.error is not None:
            raise self.error
        self.periods.append((period, flags))


class FakeConnection:
    """A connection with these domains.

    on: by method, what it raises, an event to wait for, or LOST.
    """

    def __init__(self, *domains, **on):
        self.domains = {domain.uuid: domain for domain in domains}
        self.on = on
        self.alive = True
        self.closed = False
        self.lists = 0
        self._o = "what libvirt's __del__ closes"

    def _act(self, method):
        action = self.on.get(method)
        if isinstance(action, threading.Event):
            action.wait(60)
        elif action == LOST:
            self.alive = False
            raise libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR)
        elif isinstance(action, Exception):
            raise action

    def getAllDomainStats(self, groups, flags):  # noqa: N802
        self.lists += 1
        self._act("list")
        return [(domain, {"state.state": 1}) for domain in self.domains.values()]

    def domainListGetStats(self, domains, groups, flags):  # noqa: N802
        self._act("read")
        fields = {"state.state": 1, "balloon.current": 4, "balloon.rss": 2}
        return [(domain, fields) for domain in domains]

    def lookupByUUIDString(self, uuid):  # noqa: N802
        self._act("lookup")
        if uuid not in self.domains:
            raise libvirt_error(libvirt.VIR_ERR_NO_DOMAIN)
        return self.domains[uuid]

    def isAlive(self):  # noqa: N802
        return int(self.alive)

    def close(self):
        self._act("close")
        self.closed = True


def host(most_stuck=4):
    return Host("uri", TIMEOUT, most_stuck)
