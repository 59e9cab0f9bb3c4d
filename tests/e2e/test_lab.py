# SPDX-License-Identifier: Apache-2.0
"""A lab's end."""

import subprocess

import psutil

from tests.lab.hypervisor import Hypervisor

SECONDS = 30
#: A service whose worker has the lab's folder neither on its command line nor in its environment.
SERVICE = "env -i sleep 600 & echo $!; wait"


def test_worker_that_hides_its_lab_ends_with_it(hypervisor):
    with (
        Hypervisor() as lab,
        subprocess.Popen(
            ["sh", "-c", SERVICE, lab.folder],
            start_new_session=True, stdout=subprocess.PIPE, text=True,
        ) as service,
    ):  # fmt: skip
        worker = psutil.Process(int(service.stdout.readline()))
        lab.close()
        service.wait(timeout=SECONDS)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
