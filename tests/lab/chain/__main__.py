# SPDX-License-Identifier: Apache-2.0
"""The command of 'tox -e chain': the services fed by lab guests, until Ctrl-C."""

import argparse
import sys
import threading
import time

from tests.lab.chain import service
from tests.lab.chain.chain import INTERVAL, Chain
from tests.lab.chain.picture import Picture
from tests.lab.demo import interruptible
from tests.lab.guest import PROJECT, USER, Guest
from tests.lab.hypervisor import Hypervisor, missing_packages

MEMORY_MIB = 192
STEP_MIB = 10
STEPS = 11
ALARM = {"THRESHOLD": "60", "GRANULARITY": str(INTERVAL)}

WHERE = """
Everything is up. 'climber' takes {step} MiB every {interval} s, frees all of it and starts again.
'steady' does nothing. All times are shorter than in the shipped files: a minute is {interval} s.

Dashboard    {dashboard} (drawn from Prometheus)
Prometheus   {prometheus}/api/v1/query?query=guest:memory_usage:mib
  its alerts {prometheus}/api/v1/alerts
Exporter     {exporter}
Gnocchi      gnocchi --os-auth-type gnocchi-basic --user admin --endpoint {gnocchi} \\
                 measures show --resource-id {climber} --granularity {interval} memory.util
Aodh         aodh --os-auth-type aodh-noauth --aodh-endpoint {aodh} \\
                 --user-id {user} --project-id {project} --roles member,reader alarm list
Command      ceilometer-memballoon --config-file {config} guest list
Programs are in {bin}, and logs are in {lab}. Ctrl-C stops everything.
"""


def main() -> int:
    """Run the chain. Return the exit status."""
    parser = argparse.ArgumentParser(prog="tox -e chain --", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="end after this many seconds"
    )
    arguments = parser.parse_args()
    if missing := [*missing_packages(), *service.missing_packages()]:
        print(f"The lab needs these packages: apt-get install {' '.join(missing)}")
        return 1
    try:
        with interruptible():
            _run(arguments.seconds)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 130
    return 0


def _run(seconds: float) -> None:
    with Hypervisor() as hypervisor:
        _report("two guests")
        steady, climber = (
            Guest(hypervisor, f"instance-{number}", display_name=name, memory=MEMORY_MIB)
            for number, name in enumerate(("steady", "climber"))
        )
        with (
            Chain(hypervisor, _report) as chain,
            Picture(hypervisor.folder, chain.prometheus.url) as picture,
        ):
            for guest in (steady, climber):
                guest.wait_until_up()
            _report("an alarm of Aodh's on 'climber', once Gnocchi knows it")
            chain.wait_for_measures(climber)
            alarm = chain.aodh.create(
                "instance-memory.sh", INSTANCE=climber.uuid, WEBHOOK=chain.webhook.url, **ALARM
            )
            print(_addresses(hypervisor, chain, picture, climber), flush=True)
            _watch(chain, climber, alarm, time.monotonic() + seconds)


def _watch(chain: Chain, climber: Guest, alarm: str, end: float) -> None:
    pause = threading.Event()
    step = 0
    while time.monotonic() < end:
        step = (step + 1) % (STEPS + 4)
        if step == 0:
            climber.give_back()
        elif step <= STEPS:
            climber.take(STEP_MIB)
        usage, state = chain.agent.usage(climber.uuid), chain.aodh.states()[alarm]
        states = ", ".join(chain.webhook.states(alarm)) or "nothing yet"
        used = "-" if usage is None else f"{usage:.1f} MiB"
        print(f"climber: {used:>10}   alarm: {state}   webhook: {states}", flush=True)
        pause.wait(min(INTERVAL, max(0.0, end - time.monotonic())))


def _addresses(hypervisor: Hypervisor, chain: Chain, picture: Picture, climber: Guest) -> str:
    return WHERE.format(
        step=STEP_MIB, interval=INTERVAL, dashboard=picture.url, prometheus=chain.prometheus.url,
        exporter=chain.agent.url, gnocchi=chain.gnocchi.url, aodh=chain.aodh.url,
        climber=climber.uuid, user=USER, project=PROJECT, config=chain.agent.config,
        bin=sys.prefix + "/bin", lab=hypervisor.folder,
    )  # fmt: skip


def _report(text: str) -> None:
    print(f"Starting {text} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main())
