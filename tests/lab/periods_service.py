# SPDX-License-Identifier: Apache-2.0
"""The packaged service that sets periods for an agent without write access."""

import configparser
import pathlib
import shutil
import sys

from tests.lab.privileged import PrivilegedHypervisor

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging/debian"
UNIT = PACKAGING / "python3-ceilometer-memballoon.ceilometer-memballoon-periods.service"
PROGRAM = "ceilometer-memballoon"


def install(hypervisor: PrivilegedHypervisor) -> None:
    """Copy the service's configuration to its place on the libvirtd's host."""
    folder = hypervisor.folder / "root/etc/ceilometer-memballoon"
    folder.mkdir(exist_ok=True)
    shutil.copy(PACKAGING / "periods.conf", folder)


def command() -> list[str]:
    """Return the service's command, with this environment's program."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    # systemd's names have capital letters.
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    program, *words = unit["Service"]["ExecStart"].split()
    assert program == f"/usr/bin/{PROGRAM}"
    return [str(pathlib.Path(sys.executable).with_name(PROGRAM)), *words]
