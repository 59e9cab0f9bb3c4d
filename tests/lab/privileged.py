# SPDX-License-Identifier: Apache-2.0
"""A libvirtd that runs as root, as on a compute node, to test the rights of other users.

It has its own mount namespace. Each folder that libvirtd, D-Bus and polkit write to is a folder
of the lab there, so nothing outside changes.
"""

import os
import pathlib
import shutil

from tests.lab import apt
from tests.lab.hypervisor import Hypervisor

#: Lines of libvirtd.conf. Everyone may read, and only root may write.
ROOT_WRITES = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\n'
#: Lines of libvirtd.conf. Access control asks polkit.
ACCESS_CONTROL = (
    'auth_unix_ro = "none"\nauth_unix_rw = "polkit"\nunix_sock_rw_perms = "0777"\n'
    'access_drivers = [ "polkit" ]\n'
)

#: The agent's user, which exists only in the namespace.
USER = "ceilometer"
USER_ID = 61234
#: The user of the service that sets periods, and the group that may write to libvirt.
KEEPER = "lab-keeper"
KEEPER_ID = USER_ID + 2
WRITERS = "lab-writers"
WRITERS_ID = USER_ID + 3
#: A user that Debian's libvirtd requires. It runs nothing here.
QEMU_USER = "libvirt-qemu"
RULE = pathlib.Path(__file__).parents[2] / "etc/polkit-1/rules.d/60-ceilometer-memballoon.rules"
ACTIONS = pathlib.Path("usr/share/polkit-1/actions")
#: Files that describe libvirt's rights to polkit. Debian 12 has them in POLICIES. In later releases
#: libvirt-daemon has them.
LIBVIRT_ACTIONS = "org.libvirt.*.policy"
POLICIES = "libvirt-daemon-system"
POLKITD = pathlib.Path("/usr/lib/polkit-1/polkitd")

#: $1: the lab's folder; the rest: libvirtd's command.
START = """
set -e
for folder in run var/lib var/log var/cache etc usr/share/polkit-1/actions
do mount --bind $1/root/$folder /$folder
done
shift
if grep -q '^access_drivers' /etc/libvirt/libvirtd.conf
then
    dbus-daemon --system --nofork --nopidfile &
    until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
    {polkitd} --no-debug &
fi
exec "$@"
""".replace("{polkitd}", str(POLKITD))


def missing_packages() -> list[str]:
    """Return the Debian packages that this lab needs in addition and this machine lacks."""
    missing = [] if shutil.which("dbus-daemon") else ["dbus"]
    return missing if POLKITD.exists() else [*missing, "polkitd"]


class PrivilegedHypervisor(Hypervisor):
    """A private libvirtd that runs as root. settings: further lines of its libvirtd.conf."""

    def __init__(self, settings: str) -> None:
        self._settings = settings
        super().__init__()

    @property
    def uri(self) -> str:
        """The address for root, outside the namespace."""
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def socket(self) -> pathlib.Path:
        """The libvirtd's read-write socket."""
        return self.folder / "root/run/libvirt/libvirt-sock"

    @property
    def as_user(self) -> tuple[str, ...]:
        """The words before a command that run it as the agent's user."""
        return self._as(USER_ID, "--clear-groups")

    @property
    def as_writer(self) -> tuple[str, ...]:
        """The words before a command that run it as the agent's user in the group of writers."""
        return self._as(USER_ID, f"--groups={WRITERS_ID}")

    @property
    def as_keeper(self) -> tuple[str, ...]:
        """The words before a command that run it as the user that sets periods."""
        return self._as(KEEPER_ID, f"--groups={WRITERS_ID}")

    def _as(self, user: int, groups: str) -> tuple[str, ...]:
        """Return the words before a command that run it as this user.

        The user may also read and search every folder, so that it can run the program of a test
        environment that only root may enter. That right opens no socket.
        """
        return (
            "nsenter", f"--mount=/proc/{self.daemon_pid}/ns/mnt",
            "setpriv", f"--reuid={user}", f"--regid={user}", groups,
            "--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search",
        )  # fmt: skip

    def _command(self) -> list[str]:
        libvirtd = ["libvirtd", "--config", "/etc/libvirt/libvirtd.conf"]
        unshare = ["unshare", "--mount", "--propagation", "private"]
        return [*unshare, "sh", "-c", START, "sh", str(self.folder), *libvirtd]

    def _user(self) -> dict[str, object]:
        return {}

    def _configure(self) -> None:
        self.folder.chmod(0o755)
        root = self.folder / "root"
        for name in ("run/dbus", "var/lib", "var/log", "var/cache"):
            (root / name).mkdir(parents=True)
        shutil.copytree("/etc", root / "etc", symlinks=True)
        with (root / "etc/passwd").open("a") as passwd, (root / "etc/group").open("a") as group:
            users = {USER: USER_ID, QEMU_USER: USER_ID + 1, KEEPER: KEEPER_ID}
            for name, number in users.items():
                passwd.write(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n")
                group.write(f"{name}:x:{number}:\n")
            group.write(f"{WRITERS}:x:{WRITERS_ID}:{KEEPER}\n")
        libvirt = root / "etc/libvirt"
        libvirt.mkdir(exist_ok=True)
        (libvirt / "libvirtd.conf").write_text(
            f'log_outputs = "3:file:/etc/libvirt/libvirtd.log"\n{self._settings}'
        )
        (libvirt / "qemu.conf").write_text(
            'user = "root"\ngroup = "root"\nsecurity_driver = "none"\ndynamic_ownership = 0\n'
            'cgroup_controllers = []\nnamespaces = []\nstdio_handler = "file"\n'
        )
        self._configure_polkit(root)

    def _configure_polkit(self, root: pathlib.Path) -> None:
        shutil.copytree("/" / ACTIONS, root / ACTIONS)
        if not [*(root / ACTIONS).glob(LIBVIRT_ACTIONS)]:
            for policy in (apt.unpacked(POLICIES) / ACTIONS).glob(LIBVIRT_ACTIONS):
                shutil.copy(policy, root / ACTIONS)
        rules = root / "etc/polkit-1/rules.d"
        rules.mkdir(parents=True, exist_ok=True)
        shutil.copy(RULE, rules)
        for path in (rules, *rules.iterdir()):
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
