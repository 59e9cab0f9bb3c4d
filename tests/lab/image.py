# SPDX-License-Identifier: Apache-2.0
"""Build the guest: Debian's cloud kernel and an initramfs of busybox.

Nothing is installed: the kernel's package is downloaded and unpacked.  The
result is kept in a cache folder, named for the kernel and the recipe.
"""

import dataclasses
import functools
import gzip
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

INIT = pathlib.Path(__file__).with_name("init.sh")
BUSYBOX = pathlib.Path("/bin/busybox")
KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_balloon",
)


@dataclasses.dataclass(frozen=True)
class Image:
    """The two files a guest boots from."""

    kernel: pathlib.Path
    initramfs: pathlib.Path


def cache_dir() -> pathlib.Path:
    """Where built images are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "ceilometer-memballoon"


@functools.cache
def build() -> Image:
    """The image, built if the cache does not have it.

    Raises subprocess.CalledProcessError or TimeoutExpired when the package
    cannot be had.
    """
    package = _kernel_package()
    recipe = hashlib.sha256(INIT.read_bytes() + BUSYBOX.read_bytes() + "".join(MODULES).encode())
    target = cache_dir() / f"{package}-{recipe.hexdigest()[:12]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _build_into(pathlib.Path(scratch) / "image", package)
            # Renamed into place whole: an interrupted build leaves no half image.
            (pathlib.Path(scratch) / "image").rename(target)
    return Image(target / "vmlinuz", target / "initramfs")


def _kernel_package() -> str:
    """The package behind Debian's metapackage, e.g. linux-image-6.1.0-1-cloud-amd64."""
    depends = _output("apt-cache", "depends", "--important", KERNEL_PACKAGE)
    match = re.search(r"Depends: (linux-image-\S+)", depends)
    if match is None:
        raise RuntimeError(f"apt knows no {KERNEL_PACKAGE}: run 'apt-get update'")
    return match.group(1)


def _build_into(target: pathlib.Path, package: str) -> None:
    work = target.with_name("work")
    work.mkdir()
    _output("apt-get", "download", package, cwd=work)
    (deb,) = work.glob("*.deb")
    _output("dpkg-deb", "-x", deb.name, "unpacked", cwd=work)
    (kernel,) = work.glob("unpacked/boot/vmlinuz-*")
    target.mkdir()
    shutil.copy(kernel, target / "vmlinuz")
    root = work / "root"
    for folder in ("bin", "modules"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    for module in MODULES:
        (file,) = work.glob(f"unpacked/lib/modules/**/{module}.ko")
        shutil.copy(file, root / "modules")
    (target / "initramfs").write_bytes(gzip.compress(_archive(root), compresslevel=6))


def _archive(root: pathlib.Path) -> bytes:
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    command = [str(BUSYBOX), "cpio", "-o", "-H", "newc"]
    done = subprocess.run(
        command, cwd=root, input=names.encode(), capture_output=True, check=True, timeout=60
    )
    return done.stdout


def _output(*command: str, cwd: pathlib.Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, check=True, text=True, timeout=300
    )
    return done.stdout
