# SPDX-License-Identifier: Apache-2.0
"""What ./tools/demo shows: the real agent with this plugin on three real guests."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.lab.agent import Agent
from tests.lab.guest import Guest
from tests.lab.hypervisor import Hypervisor, missing_packages
from tests.lab.waiting import wait_for

SECONDS = int(os.environ.get("DEMO_SECONDS", "60"))
INTERVAL = 5
PERIOD = 2
STEP_MIB = 8
MEMORY_MIB = 192

WHAT_NEXT = """
That was the real ceilometer-polling with this plugin on real QEMU guests.
On a compute node:
  1. pip install ceilometer-memballoon     into the environment of the polling agent
  2. copy etc/ceilometer/polling.yaml      or add its two meters to your own
  3. ceilometer-memballoon check           what is missing, and what to do about it
  4. restart the polling agent             guests without statistics get them switched on
README.rst has the options, the rights the agent needs and what each reason means.
"""


def main() -> int:
    """Run the demo; the exit status."""
    if missing := missing_packages():
        print(f"The demo needs these packages: apt-get install {' '.join(missing)}")
        return 1
    try:
        with interruptible():
            _run()
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 130
    print(WHAT_NEXT)
    return 0


def _run() -> None:
    _say("Building the guest image and starting a private libvirtd")
    with Hypervisor() as hypervisor:
        _say("Booting three guests under emulation: about ten seconds")
        guests = [
            Guest(hypervisor, "instance-00000001", display_name="steady", memory=MEMORY_MIB),
            Guest(hypervisor, "instance-00000002", display_name="climbing", memory=MEMORY_MIB,
                  period=None),
            Guest(hypervisor, "instance-00000003", display_name="driverless", memory=MEMORY_MIB,
                  driver=False),
        ]  # fmt: skip
        for guest in guests:
            guest.wait_until_up()
        _say(f"Starting ceilometer-polling, a cycle each {INTERVAL} s, for {SECONDS} s")
        with Agent(hypervisor, interval=INTERVAL, period=PERIOD) as agent:
            wait_for(agent.metrics, 60, "the agent's first samples", agent.log_text)
            _watch(agent, guests)
            _ask(agent)
        _say("Taking it all down")


def _watch(agent: Agent, guests: list[Guest]) -> None:
    climbing = guests[1]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        _show(agent, guests, max(0, round(end - time.monotonic())))
        climbing.take(STEP_MIB)
        time.sleep(INTERVAL)
    _show(agent, guests, 0)


def _ask(agent: Agent) -> None:
    """Show the operator's command; the table before it is what the agent has exported."""
    program = pathlib.Path(sys.executable).with_name("ceilometer-memballoon")
    for words in (["guest", "list"], ["guest", "show", "driverless"]):
        print(f"\n$ ceilometer-memballoon {' '.join(words)}", flush=True)
        command = [str(program), "--config-file", str(agent.config), *words]
        subprocess.run(command, check=True, timeout=60)


def _show(agent: Agent, guests: list[Guest], left: int) -> None:
    metrics = agent.metrics()
    print(f"\n{'instance':12}{'memory.usage':>14}{'memory.resident':>17}   {left:3d} s to go")
    for guest in guests:
        usage = metrics.get(("ceilometer_memory_usage", guest.uuid))
        resident = metrics.get(("ceilometer_memory_resident", guest.uuid))
        why = "" if usage is not None else f"   no usage: {agent.reason(guest.uuid) or 'not yet'}"
        print(f"{guest.display_name:12}{_mib(usage):>14}{_mib(resident):>17}{why}", flush=True)


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} MiB"


def _say(text: str) -> None:
    print(f"{text} ...", flush=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends what is within as cleanly as Ctrl-C does."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
