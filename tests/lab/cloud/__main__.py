# SPDX-License-Identifier: Apache-2.0
"""The command of ./tools/cloud: an OpenStack with two servers, until Ctrl-C."""

import argparse
import sys
import threading
import time

from tests.lab.chain.picture import Picture
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.cloud.cloud import Cloud
from tests.lab.cloud.host import Host
from tests.lab.cloud.requirements import missing
from tests.lab.cloud.server import Server
from tests.lab.demo import interruptible

STEP_MIB = 10
#: Five steps fit into the lab flavor. The sixth one fills the guest's memory and fails.
STEPS = 4
OPENRC = "openrc"

WHERE = """
Everything is up. Each server is on its own compute host. 'steady' does nothing. 'climber' takes
{step} MiB every {interval} s until it has {most} MiB, waits, frees all of it and starts again.

In another terminal:
    . {openrc}
    openstack server list
    openstack metric measures show --resource-id {climber} \\
        --granularity {interval} memory.usage
    openstack alarm list
    INSTANCE={climber} WEBHOOK=http://127.0.0.1:8080/ \\
        THRESHOLD=60 GRANULARITY={interval} \\
        sh etc/aodh/instance-memory.sh

For the guests of one host, as its operator:
{guest_lists}

Gnocchi      {gnocchi}
Dashboard    {dashboard} (drawn from Prometheus)
Prometheus   {prometheus}/api/v1/query?query=guest:memory_usage:mib
Exporters    {exporters}
             Their certificate authority is {authority}
Logs         {folder}, in the folder of each service
Ctrl-C stops everything. The lines below are each server's memory.usage.
"""


def main() -> int:
    """Run the cloud. Return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/cloud", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="end after this many seconds"
    )
    arguments = parser.parse_args()
    if lacking := missing():
        print("The cloud needs " + "\nand ".join(lacking))
        return 1
    try:
        with interruptible():
            _run(arguments.seconds)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 130
    return 0


def _run(seconds: float) -> None:
    with (
        Cloud(lambda text: print(text, flush=True)) as cloud,
        Picture(cloud.folder, cloud.prometheus.url) as picture,
    ):
        print("       booting two servers", flush=True)
        # The scheduler places the second server where there is more room, on the other host.
        steady, climber = (cloud.server(name).wait_until_up() for name in ("steady", "climber"))
        print(_addresses(cloud, picture, climber), flush=True)
        _watch(cloud, (steady, climber), time.monotonic() + seconds)


def _watch(cloud: Cloud, servers: tuple[Server, Server], end: float) -> None:
    pause = threading.Event()
    step = 0
    hosts = {server.id: server.host for server in servers}
    while time.monotonic() < end:
        step = (step + 1) % (STEPS + 4)
        if step == 0:
            servers[1].give_back()
        elif step <= STEPS:
            servers[1].take(STEP_MIB)
        shown = []
        for server in servers:
            agent = hosts[server.id].agent
            usage = None if agent is None else agent.usage(server.id)
            shown.append(f"{server.name}: " + ("-" if usage is None else f"{usage:.1f} MiB"))
        print("   ".join(shown), flush=True)
        pause.wait(min(INTERVAL, max(0.0, end - time.monotonic())))


def _addresses(cloud: Cloud, picture: Picture, climber: Server) -> str:
    openrc = cloud.folder / OPENRC
    lines = [f"export {name}={value}" for name, value in cloud.site.environment().items()]
    openrc.write_text("\n".join([*lines, f"export PATH={sys.prefix}/bin:$PATH", ""]))
    hosts = cloud.hosts.values()
    return WHERE.format(
        step=STEP_MIB, most=STEPS * STEP_MIB, interval=INTERVAL, openrc=openrc,
        climber=climber.id, guest_lists="\n".join(_guest_list(host) for host in hosts),
        gnocchi=cloud.site.url("gnocchi"), dashboard=picture.url,
        prometheus=cloud.prometheus.url,
        exporters=" ".join(f"https://127.0.0.1:{host.port}/metrics" for host in hosts),
        authority=cloud.site.certificates.authority, folder=cloud.folder,
    )  # fmt: skip


def _guest_list(host: Host) -> str:
    assert host.agent is not None
    return f"    ceilometer-memballoon --config-file {host.agent.config} guest list"


if __name__ == "__main__":
    sys.exit(main())
