# SPDX-License-Identifier: Apache-2.0
"""Disks and network interfaces for lab guests, like those on a compute node."""

import os
import pathlib
import pwd
import struct

from tests.lab.hypervisor import Hypervisor

#: The user of a lab's libvirtd when root starts it.
USER = "nobody"
QCOW2_VERSION = 3
CLUSTER_BITS = 16

#: $1: the number of interfaces; the rest: libvirtd's command. The network namespace and the device
#: node belong to this process, so nothing outside sees them.
START = """
set -e
mount -t tmpfs none /dev/net
mknod -m 666 /dev/net/tun c 10 200
ip link set lo up
for number in $(seq 0 $(($1 - 1)))
do
    ip tuntap add dev tap$number mode tap user {user}
    ip link set tap$number up
done
shift
exec setpriv --reuid={user} --regid="$(id -g {user})" --clear-groups "$@"
""".replace("{user}", USER)


class NetworkedHypervisor(Hypervisor):
    """A private libvirtd in a network namespace with interfaces tap0, tap1, and so on.

    Only root can start one.
    """

    def __init__(self, interfaces: int) -> None:
        self._interfaces = interfaces
        super().__init__()

    def _command(self) -> list[str]:
        unshare = ["unshare", "--net", "--mount", "--propagation", "private"]
        return [*unshare, "sh", "-c", START, "sh", str(self._interfaces), *super()._command()]

    def _user(self) -> dict[str, object]:
        return {}


def interface(number: int, *, more: str = "") -> str:
    """Return the XML of an interface that uses tap<number>. more: further elements in it."""
    return f"""<interface type="ethernet">
      <mac address="fa:16:3e:00:{number // 256:02x}:{number % 256:02x}"/>
      <target dev="tap{number}" managed="no"/>
      <model type="virtio"/>{more}
    </interface>"""


def disk(file: pathlib.Path, target: str, *, kind: str = "raw", bus: str = "virtio") -> str:
    """Return the XML of a disk. kind: the file's format."""
    return f"""<disk type="file" device="disk">
      <driver name="qemu" type="{kind}"/>
      <source file="{file}"/>
      <target dev="{target}" bus="{bus}"/>
    </disk>"""


def cdrom(target: str = "hda", file: pathlib.Path | None = None) -> str:
    """Return the XML of a CD-ROM drive. Without a file the drive has no disc."""
    source = "" if file is None else f'<source file="{file}"/>'
    return f"""<disk type="file" device="cdrom">
      <driver name="qemu" type="raw"/>{source}
      <target dev="{target}" bus="ide"/>
      <readonly/>
    </disk>"""


def make_raw(hypervisor: Hypervisor, name: str, size: int, written: int = 0) -> pathlib.Path:
    """Create a sparse file of this many bytes. The first ``written`` bytes are allocated."""
    file = hypervisor.folder / name
    with file.open("wb") as stream:
        stream.write(b"x" * written)
        stream.truncate(size)
    return _given(file)


def make_qcow2(hypervisor: Hypervisor, name: str, size: int) -> pathlib.Path:
    """Create an empty qcow2 image of this many bytes: header, refcounts and an L1 table.

    The format is in QEMU's docs/interop/qcow2.rst. So the lab does not need qemu-img.
    """
    cluster = 1 << CLUSTER_BITS
    entries = -(-size // (cluster * (cluster // 8)))
    fields = (QCOW2_VERSION, 0, 0, CLUSTER_BITS, size, 0, entries, 3 * cluster, cluster, 1, 0, 0)
    content = bytearray(4 * cluster)
    struct.pack_into(">4sIQIIQIIQQIIQ", content, 0, b"QFI\xfb", *fields)
    # No features; 16-bit refcounts; the header's length.
    struct.pack_into(">QQQII", content, 72, 0, 0, 0, 4, 104)
    struct.pack_into(">Q", content, cluster, 2 * cluster)
    struct.pack_into(">4H", content, 2 * cluster, 1, 1, 1, 1)
    file = hypervisor.folder / name
    file.write_bytes(content)
    return _given(file)


def _given(file: pathlib.Path) -> pathlib.Path:
    if os.geteuid() == 0:
        owner = pwd.getpwnam(USER)
        os.chown(file, owner.pw_uid, owner.pw_gid)
    return file
