# SPDX-License-Identifier: Apache-2.0
"""The content of the cloud: the lab's guest as an image of Glance, and flavors."""

import dataclasses
import pathlib
from typing import Any

from tests.lab import image

#: Memory in MiB by flavor name. Members may not use a flavor without a disk.
FLAVORS = {"lab": 128, "lab-big": 192}
DISK_BYTES = 1 << 20
SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Content:
    """image_id: the id of the lab's guest image. flavor_ids: by flavor name."""

    image_id: str
    flavor_ids: dict[str, str]


def fill(folder: pathlib.Path, admin: Any) -> Content:
    """Create the guest's image and the flavors in the cloud.

    folder: where the image's empty disk is created. admin: a connection of openstacksdk.
    """
    built = image.build()
    disk = folder / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    kernel = _add(admin, "lab-kernel", built.kernel, "aki")
    initramfs = _add(admin, "lab-initramfs", built.initramfs, "ari")
    image_id = _add(
        admin, "lab", disk, "bare",
        kernel_id=kernel, ramdisk_id=initramfs,
        os_command_line="console=ttyS0 quiet no_timer_check",
        hw_serial_port_count="2", hw_disk_bus="virtio", hw_video_model="none",
    )  # fmt: skip
    flavor_ids = {
        name: admin.compute.create_flavor(name=name, ram=ram, vcpus=1, disk=1).id
        for name, ram in FLAVORS.items()
    }
    return Content(image_id, flavor_ids)


def _add(admin: Any, name: str, file: pathlib.Path, kind: str, **properties: str) -> str:
    made = admin.image.create_image(
        name=name,
        filename=str(file),
        container_format=kind,
        disk_format="raw" if kind == "bare" else kind,
        visibility="public",
        timeout=SECONDS,
        **properties,
    )
    return str(made.id)
