# SPDX-License-Identifier: Apache-2.0
"""Run commands in a root folder without changing it, the machine or its network.

A command gets its own mount, process, IPC and host name namespaces. With ``network=False`` it
also gets a network namespace with only the loopback device. Files that it writes are in memory.
They are gone when the command ends, and so are its processes.
"""

import os
import pathlib
import subprocess
from collections.abc import Iterable, Mapping

#: Prefixes of the variables with which package registries are reached.
REGISTRY_VARIABLES = ("PIP_", "UV_", "SSL_CERT_", "http_", "https_", "no_proxy", "HTTP_", "HTTPS_")
#: Variables with paths of files for the same purpose. The files are visible in the root folder.
REGISTRY_FILES = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf",
)  # fmt: skip
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
}
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

#: Runs in the root folder as process 1 and waits for orphaned processes. $1: the folder to start
#: in. The rest: the command.
START = """
busybox umount -l /mnt
busybox ip link set lo up
folder=$1; shift
env --chdir="$folder" "$@" &
wait $!
"""

#: $1: the folders that make up the root, topmost first. $2: an empty folder. $3: the number of
#: binds. Then: two paths for each bind, the folder to start in, and the command. chroot alone would
#: leave a process outside the root folder if it enters the mount namespace with nsenter.
SCRIPT = """
set -e
lower=$1; top=$2; binds=$3; shift 3
mount -t tmpfs -o mode=755,size=75% tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
root=$top/root
mount -t proc proc "$root/proc"
mount --rbind -o ro /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in {devices}
do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
while [ "$binds" -gt 0 ]
do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}"; : >>"$root$2"; fi
    mount --bind "$1" "$root$2"
    shift 2; binds=$((binds - 1))
done
hostname lab
folder=$1; shift
cd "$root"
pivot_root . mnt
exec chroot . sh -c '{start}' sh "$folder" "$@"
""".replace("{devices}", " ".join(DEVICES)).replace("{start}", START)


def lacks() -> list[str]:
    """Return what this machine lacks for that, in words."""
    lacking = [] if os.geteuid() == 0 else ["root's rights"]
    if "overlay" not in pathlib.Path("/proc/filesystems").read_text().split():
        lacking.append("the kernel's overlay file system")
    return lacking


def run(
    layers: tuple[pathlib.Path, ...],
    *command: str,
    seconds: float,
    binds: Mapping[pathlib.Path, str] = {},
    environment: Mapping[str, str] = {},
    network: bool = False,
    folder: str = "/",
) -> int:
    """Run the command in a root folder of these layers. Return its exit status.

    layers: Folders. Files of an earlier one hide those of a later one.
    seconds: The longest time that the command may take.
    binds: Files and folders to show inside, and where. Only changes to them are kept.
    environment: Further variables.
    network: Whether the command may use the machine's network.
    folder: Where it starts.
    Raises subprocess.TimeoutExpired.
    """
    shown = dict(binds)
    variables = {**ENVIRONMENT, **environment}
    if network:
        shown |= {pathlib.Path(f): f for f in REGISTRY_FILES if pathlib.Path(f).exists()}
        variables |= {k: v for k, v in os.environ.items() if k.startswith(REGISTRY_VARIABLES)}
    empty = layers[-1].parent / "mount-point"
    empty.mkdir(exist_ok=True)
    lower = ":".join(map(str, layers))
    words = [str(word) for pair in shown.items() for word in pair]
    inside = ["sh", "-c", SCRIPT, "sh", lower, str(empty), str(len(shown)), *words]
    inside += [folder, *command]
    return _wait([*_isolate(network), *inside], variables, seconds)


def isolated(*command: str, seconds: float) -> int:
    """Run a command on the machine's own files. Return its exit status.

    The command leaves no process and no mount behind. Raises subprocess.TimeoutExpired.
    """
    return _wait([*_isolate(network=True), *command], dict(os.environ), seconds)


def _isolate(network: bool) -> Iterable[str]:
    # When this process ends, the namespaces end too.
    die_with_parent = ("setpriv", "--pdeathsig", "KILL")
    kinds = ("--mount", "--pid", "--ipc", "--uts", *(() if network else ("--net",)))
    return (*die_with_parent, "unshare", *kinds, "--fork", "--kill-child", "--mount-proc")


def _wait(command: list[str], environment: Mapping[str, str], seconds: float) -> int:
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, check=False, timeout=seconds
    ).returncode
