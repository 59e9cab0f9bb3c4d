# SPDX-License-Identifier: Apache-2.0
"""More guests than one machine can run, and the memory that the plugin uses.

The libvirt connection is simulated. It answers after the time that a straight line through the
real curve predicts for that number of domains, with copies of a real guest's record. All code
above the connection is real.
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time
import types
from typing import Any

from bench.contestants import ALL_METERS, FLOOR, METERS_OF, PLUGIN, STOCK, Cost, line
from tests.unit import recorded

SECONDS = 600
ROUNDS = 5
BALLOON = "<memballoon model='virtio'><stats period='10'/></memballoon>"
XML = f"<domain><devices>{BALLOON}</devices></domain>"
FLAVOR = {"id": "1", "name": "lab", "vcpus": 1, "ram": 96, "disk": 0, "ephemeral": 0}


def measure(curve: dict[int, dict[str, Cost]], count: int) -> dict[str, float]:
    """Return the seconds of one cycle by contestant. Stock is only extrapolated."""
    slope, intercept = line(curve, FLOOR)
    stock_slope, stock_intercept = line(curve, STOCK)
    call = intercept + slope * count
    plugin = _child("measure", {"count": count, "call": call, "rounds": ROUNDS})
    return {FLOOR: call, STOCK: stock_intercept + stock_slope * count} | plugin


def memory() -> dict[str, float]:
    """Return the memory of an agent without the plugin and the plugin's share, in MiB."""
    return _child("memory", {})


def _child(what: str, arguments: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __spec__.name, what, json.dumps(arguments)],
        check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


class Domain:
    """One of the simulated domains."""

    def __init__(self, number: int) -> None:
        self._number = number

    def UUIDString(self) -> str:  # noqa: N802
        """Return the domain's UUID."""
        return f"00000000-0000-0000-0000-{self._number:012d}"

    def ID(self) -> int:  # noqa: N802
        """Return the domain's id."""
        return self._number + 1

    def name(self) -> str:
        """Return the domain's name."""
        return f"instance-{self._number:08x}"

    def XMLDesc(self, flags: int) -> str:  # noqa: N802
        """Return the domain's live XML."""
        return XML

    def controlInfo(self) -> list[int]:  # noqa: N802
        """Return that nothing holds the domain."""
        return [0, 0, 0]


class Connection:
    """The simulated connection. call: seconds that reading all domains takes."""

    def __init__(self, count: int, call: float) -> None:
        self._domains = [Domain(number) for number in range(count)]
        self._call = call

    def getAllDomainStats(self, stats: int, flags: int) -> list[Any]:  # noqa: N802
        """Return the states of all domains, which libvirtd answers itself."""
        return [(domain, {"state.state": 1, "state.reason": 1}) for domain in self._domains]

    def domainListGetStats(  # noqa: N802
        self, domains: list[Domain], stats: int, flags: int
    ) -> list[Any]:
        """Return a record of each domain, after the predicted time.

        The time includes making the records.
        """
        end = time.monotonic() + self._call * len(domains) / len(self._domains)
        fresh = {**recorded.RUNNING, "balloon.last-update": int(time.time())}
        records = [(domain, dict(fresh)) for domain in domains]
        time.sleep(max(0.0, end - time.monotonic()))
        return records

    def lookupByUUIDString(self, uuid: str) -> Domain:  # noqa: N802
        """Return the domain."""
        return self._domains[int(uuid.rpartition("-")[2])]

    def isAlive(self) -> int:  # noqa: N802
        """Return that the connection is alive."""
        return 1

    def close(self) -> None:
        """Do nothing."""


def _measure(count: int, call: float, rounds: int) -> dict[str, float]:
    import libvirt  # noqa: PLC0415
    from ceilometer import service  # noqa: PLC0415

    from ceilometer_memballoon import opts, pollsters  # noqa: PLC0415

    conf = service.prepare_service(["bench"], config_files=[])
    opts.register(conf)
    # Many guests need a longer timeout than the default.
    conf.set_override("libvirt_timeout", 10 * call + 5, group="memballoon")
    libvirt.openReadOnly = lambda uri: Connection(count, call)
    manager = types.SimpleNamespace(
        extensions=[], polling_manager=types.SimpleNamespace(sources=[])
    )
    instances = [_instance(Domain(number)) for number in range(count)]
    found = {}
    for name in (PLUGIN, ALL_METERS):
        made = [getattr(pollsters, meter)(conf) for meter in METERS_OF[name]]
        times = []
        for _ in range(rounds + 1):
            begin, cache = time.monotonic(), {}
            sent = [p.get_samples(manager, cache, instances) for p in made]
            times.append(time.monotonic() - begin)
            # No guest sends all statistics.
            assert {len(samples) for samples in sent} <= {0, count}
            assert len(sent[0]) == count
        found[name] = statistics.median(times[1:])
    return found


def _instance(domain: Domain) -> Any:
    return types.SimpleNamespace(
        id=domain.UUIDString(), name="guest", user_id="user", tenant_id="project", hostId="host",
        status="active", image=None, metadata={}, flavor=FLAVOR,
        **{"OS-EXT-SRV-ATTR:instance_name": domain.name()},
    )  # fmt: skip


def _memory() -> dict[str, float]:
    from ceilometer import service  # noqa: PLC0415
    from ceilometer.compute.virt.libvirt import inspector  # noqa: F401, PLC0415
    from ceilometer.polling import manager  # noqa: F401, PLC0415

    conf = service.prepare_service(["bench"], config_files=[])
    before = _resident()
    from ceilometer_memballoon import meters, pollsters  # noqa: PLC0415

    made = [getattr(pollsters, name)(conf) for name in meters.METERS]
    return {"agent": before, "plugin": _resident() - before, "pollsters": len(made)}


def _resident() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    _what = {"measure": _measure, "memory": _memory}[sys.argv[1]]
    print(json.dumps(_what(**json.loads(sys.argv[2]))))
