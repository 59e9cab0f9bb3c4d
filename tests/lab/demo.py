# SPDX-License-Identifier: Apache-2.0
"""The demo of ./tools/demo: the real agent with this plugin on three real guests."""

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
  1. pip install .                         with the pip of the polling agent's environment
  2. copy etc/ceilometer/polling.yaml      or add its source guest_memory to your own file
  3. ceilometer-memballoon check           names what is missing and what to do about it
  4. restart the polling agent             enables the statistics of guests that have none
README.rst has the details, and links to the pages on options, rights and reasons.
"""


def main() -> int:
    """Run the demo. Return the exit status."""
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
    _report("Building the guest image and starting a private libvirtd")
    with Hypervisor() as hypervisor:
        _report("Booting three guests under emulation: about ten seconds")
        guests = [
            Guest(hypervisor, "instance-00000001", display_name="steady", memory=MEMORY_MIB),
            Guest(hypervisor, "instance-00000002", display_name="climbing", memory=MEMORY_MIB,
                  period=None),
            Guest(hypervisor, "instance-00000003", display_name="driverless", memory=MEMORY_MIB,
                  driver=False),
        ]  # fmt: skip
        for guest in guests:
            guest.wait_until_up()
        _report(f"Starting ceilometer-polling, a cycle every {INTERVAL} s")
        with Agent(hypervisor, interval=INTERVAL, period=PERIOD) as agent:
            wait_for(agent.metrics, 60, "the agent's first samples", agent.log_text)
            _report(f"The live view 'ceilometer-memballoon guest list --watch', for {SECONDS} s")
            _watch(agent, guests[1])
            _show(agent, guests)
            _ask(agent)
        _report("Stopping everything")


def _watch(agent: Agent, climbing: Guest) -> None:
    """Show the live view while the guest takes more and more memory."""
    with subprocess.Popen(_command(agent, "guest", "list", "--watch", str(INTERVAL))) as view:
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(INTERVAL)
                climbing.take(STEP_MIB)
        finally:
            view.send_signal(signal.SIGINT)
            try:
                view.wait(timeout=60)
            except subprocess.TimeoutExpired:
                view.kill()
                raise


def _show(agent: Agent, guests: list[Guest]) -> None:
    """Print the metrics that the agent exports."""
    metrics = agent.metrics()
    print(f"\nExported by the agent:\n{'instance':12}{'memory.usage':>14}{'memory.resident':>17}")
    for guest in guests:
        usage = metrics.get(("ceilometer_memory_usage", guest.uuid))
        resident = metrics.get(("ceilometer_memory_resident", guest.uuid))
        why = "" if usage is not None else f"   no usage: {agent.reason(guest.uuid) or 'not yet'}"
        print(f"{guest.display_name:12}{_mib(usage):>14}{_mib(resident):>17}{why}", flush=True)


def _ask(agent: Agent) -> None:
    """Run the operator's command for the guest that has no usage."""
    print("\n$ ceilometer-memballoon guest show driverless", flush=True)
    subprocess.run(_command(agent, "guest", "show", "driverless"), check=True, timeout=60)


def _command(agent: Agent, *words: str) -> list[str]:
    program = pathlib.Path(sys.executable).with_name("ceilometer-memballoon")
    return [str(program), "--config-file", str(agent.config), *words]


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} MiB"


def _report(text: str) -> None:
    print(f"{text} ...", flush=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C while the context is active.

    SIGINT gets a handler as well. A script's background command starts with SIGINT ignored, and the
    live view would inherit this and not end.
    """

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
