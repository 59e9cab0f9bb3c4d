# SPDX-License-Identifier: Apache-2.0
"""What a machine needs for a cloud."""

import os
import shutil

from tests.lab import privileged
from tests.lab.chain import service
from tests.lab.hypervisor import missing_packages


def missing() -> list[str]:
    """Return what this machine lacks for a cloud, one line each."""
    lacking = []
    packages = [*missing_packages(), *service.missing_packages(), *privileged.missing_packages()]
    if packages:
        lacking.append(f"these packages: apt-get install {' '.join(packages)}")
    if os.geteuid() != 0:
        lacking.append("root, for libvirtds like those of compute hosts")
    if shutil.which("unshare") is None:
        lacking.append("the program unshare: apt-get install util-linux")
    return lacking
