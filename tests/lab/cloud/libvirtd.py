# SPDX-License-Identifier: Apache-2.0
"""The libvirtd of one compute host."""

import pathlib
import subprocess
import uuid

from tests.lab.privileged import WRITERS, PrivilegedHypervisor

SHARED = pathlib.Path(__file__).with_name("shared.c")
BUILD_SECONDS = 60

#: Everyone may read, and a group may write, as on Debian 13.
SETTINGS = """
host_uuid = "{uuid}"
unix_sock_group = "{group}"
unix_sock_ro_perms = "0777"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""


class HostHypervisor(PrivilegedHypervisor):
    """A libvirtd with its own host name, identity and address.

    cloud: the cloud's folder; this lab's if None. All libvirtds of the cloud treat it as shared
        storage.
    """

    def __init__(self, name: str, address: str, cloud: pathlib.Path | None) -> None:
        self._name = name
        self._address = address
        self._cloud = cloud
        super().__init__(SETTINGS.format(uuid=uuid.uuid4(), group=WRITERS))

    def _command(self) -> list[str]:
        unshare, *rest = super()._command()
        name_it = f'hostname {self._name}; exec "$@"'
        return [unshare, "--uts", "sh", "-c", name_it, "sh", unshare, *rest]

    @property
    def cloud(self) -> pathlib.Path:
        """The folder of the whole cloud."""
        return self._cloud or self.folder

    def _environment(self) -> dict[str, str]:
        shared = {"LD_PRELOAD": str(self.folder / "shared.so"), "LAB_SHARED": str(self.cloud)}
        return {**super()._environment(), **shared}

    def _configure(self) -> None:
        super()._configure()
        library = self.folder / "shared.so"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O2", "-o", library, SHARED, "-ldl"],
            check=True,
            timeout=BUILD_SECONDS,
        )
        with (self.folder / "root/etc/libvirt/qemu.conf").open("a") as settings:
            settings.write(f'migration_address = "{self._address}"\n')
