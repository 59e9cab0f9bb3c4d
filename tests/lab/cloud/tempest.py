# SPDX-License-Identifier: Apache-2.0
"""Tempest, run against the cloud from its own tox environment."""

import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from tests.lab.chain.service import folder_in
from tests.lab.cloud.ceilometer import INTERVAL
from tests.lab.cloud.site import PASSWORD, REGION

if TYPE_CHECKING:
    from tests.lab.cloud.cloud import Cloud

#: The programs of the environment ``tempest``, which is beside this one.
PROGRAMS = pathlib.Path(sys.prefix).parent / "tempest/bin"
TREE = pathlib.Path(__file__).parents[3]
WORKSPACE = "cloud"
#: Reads Tempest's stream of results with the environment's Python.
RESULTS = pathlib.Path(__file__).with_name("tempest_results.py")
INIT_SECONDS = 60
RUN_SECONDS = 420
KILL_SECONDS = 20
#: The words before a command that end it with the thread that runs it, as after Ctrl-C.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
#: Memory that the scenario's server takes, in MiB. The flavor has 128 MiB.
TAKEN = 40

#: Added to what ``tempest init`` writes.
CONFIG = """
[auth]
admin_username = admin
admin_project_name = admin
admin_domain_name = Default
admin_password = {password}
# Neutron binds no port here. A server without a network boots.
create_isolated_networks = false
[identity]
auth_version = v3
uri_v3 = {keystone}
region = {region}
[compute]
image_ref = {image}
flavor_ref = {flavor}
[scenario]
# A peer's test uploads it and boots nothing from it.
img_file = {file}
img_disk_format = raw
img_container_format = bare
[service_available]
cinder = false
swift = false
horizon = false
[telemetry_services]
alarm_backend = postgresql
[memballoon]
granularity = {interval}
measures_timeout = 180
alarm_timeout = 120
load_command = cd {tree} && exec {python} -m tests.lab.cloud.load {uris} take {taken}
load_rise = {rise}
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a test ended. status: success, skip or fail. text: the reason or the traceback."""

    status: str
    text: str


class Tempest:
    """A workspace of Tempest with the cloud's tempest.conf. output: what the last run printed."""

    def __init__(self, cloud: "Cloud") -> None:
        self.folder = folder_in(cloud.folder, "tempest")
        self.output = ""
        self._call([PROGRAMS / "tempest", "init", WORKSPACE], INIT_SECONDS, check=True)
        image = self.folder / "image.raw"
        image.write_text("not bootable")
        with (self.folder / WORKSPACE / "etc/tempest.conf").open("a") as file:
            file.write(
                CONFIG.format(
                    password=PASSWORD,
                    keystone=cloud.site.url("keystone"),
                    region=REGION,
                    image=cloud.content.image_id,
                    flavor=cloud.content.flavor_ids["lab"],
                    file=image,
                    interval=INTERVAL,
                    tree=TREE,
                    python=sys.executable,
                    uris=" ".join(f"'{host.hypervisor.uri}'" for host in cloud.hosts.values()),
                    taken=TAKEN,
                    rise=TAKEN // 2,
                )
            )

    def run(self, workers: list[str], excluded: str) -> dict[str, Outcome]:
        """Run the tests whose names match. Return their outcomes by name.

        workers: A regular expression of names for each worker. The workers run at the same time.
        excluded: A regular expression of the names that are left out.
        Raises RuntimeError if no test ran.
        """
        # timeout also ends Tempest's workers. Tempest's status is 1 if a test failed.
        limit = [*DIE_WITH_PARENT, "timeout", "--kill-after", str(KILL_SECONDS), str(RUN_SECONDS)]
        groups = self.folder / "workers.yaml"
        groups.write_text(yaml.safe_dump([{"worker": [tests]} for tests in workers]))
        options = ["--exclude-regex", excluded, "--worker-file", groups]
        self.output = self._call(
            [*limit, PROGRAMS / "tempest", "run", "--workspace", WORKSPACE, "--regex",
             "|".join(workers), *options],
            RUN_SECONDS + 2 * KILL_SECONDS,
        )  # fmt: skip
        last = f"cd {WORKSPACE} && {PROGRAMS}/stestr last --subunit | {PROGRAMS}/python {RESULTS}"
        outcomes = json.loads(self._call(["sh", "-c", last], INIT_SECONDS, check=True))
        if not outcomes:
            raise RuntimeError(f"Tempest ran no test: {self.output[-3000:]}")
        return {name: Outcome(**outcome) for name, outcome in outcomes.items()}

    def _call(self, command: list[str | pathlib.Path], seconds: float, check: bool = False) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=seconds,
            check=check,
        )  # fmt: skip
        return done.stdout
