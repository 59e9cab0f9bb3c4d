# SPDX-License-Identifier: Apache-2.0
"""Build the guest: Debian's cloud kernel and an initramfs of busybox.

Nothing is installed: the packages of the kernel, and of its headers for a guest
that forges statistics, are downloaded and unpacked.  The result is kept in a cache
folder, named for the kernel and the recipe.
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
FORGE = pathlib.Path(__file__).with_name("forge.c")
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
def build(*, forge: bool = False) -> Image:
    """The image, built if the cache does not have it.

    forge: with the kernel module of forge.c, whose building takes headers and make.
    Raises subprocess.CalledProcessError or TimeoutExpired when a package cannot be had.
    """
    package = _kernel_package()
    recipe = hashlib.sha256(INIT.read_bytes() + BUSYBOX.read_bytes() + "".join(MODULES).encode())
    if forge:
        recipe.update(FORGE.read_bytes())
    target = cache_dir() / f"{package}-{recipe.hexdigest()[:12]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _build_into(pathlib.Path(scratch) / "image", package, forge)
            _put(pathlib.Path(scratch) / "image", target)
    return Image(target / "vmlinuz", target / "initramfs")


@functools.cache
def unpacked(package: str) -> pathlib.Path:
    """The folder that holds what a Debian package would install, which is not installed.

    Kept in the cache by the package's name. Raises as build().
    """
    target = cache_dir() / package
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _put(_unpack(pathlib.Path(scratch) / "work", target.name), target)
    return target


def _put(built: pathlib.Path, target: pathlib.Path) -> None:
    """Rename into place whole: an interrupted build leaves no half of it."""
    try:
        built.rename(target)
    except OSError:
        # Another process may have built the same in the meantime.
        if not target.exists():
            raise


def _kernel_package() -> str:
    """The package behind Debian's metapackage, e.g. linux-image-6.1.0-1-cloud-amd64."""
    return _dependency(KERNEL_PACKAGE, r"linux-image-\S+")


def _dependency(package: str, pattern: str) -> str:
    depends = _output("apt-cache", "depends", "--important", package)
    match = re.search(f"Depends: ({pattern})", depends)
    if match is None:
        raise RuntimeError(f"apt knows no {package}: run 'apt-get update'")
    return match.group(1)


def _build_into(target: pathlib.Path, package: str, forge: bool) -> None:
    work = target.with_name("work")
    unpacked = _unpack(work, package)
    (kernel,) = unpacked.glob("boot/vmlinuz-*")
    target.mkdir()
    shutil.copy(kernel, target / "vmlinuz")
    root = work / "root"
    for folder in ("bin", "modules"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    for module in MODULES:
        (file,) = unpacked.glob(f"lib/modules/**/{module}.ko")
        shutil.copy(file, root / "modules")
    if forge:
        shutil.copy(_module(work / "forge", package), root / "modules")
    (target / "initramfs").write_bytes(gzip.compress(_archive(root), compresslevel=6))


def _unpack(work: pathlib.Path, *packages: str) -> pathlib.Path:
    """The folder that holds what these packages would install."""
    work.mkdir()
    _output("apt-get", "download", *packages, cwd=work)
    for package in work.glob("*.deb"):
        _output("dpkg-deb", "-x", package.name, "unpacked", cwd=work)
    return work / "unpacked"


def _module(work: pathlib.Path, kernel: str) -> pathlib.Path:
    """The module of forge.c for that kernel."""
    headers = kernel.replace("linux-image", "linux-headers")
    common = _dependency(headers, r"linux-headers-\S+-common")
    unpacked = _unpack(work, headers, common, _dependency(headers, r"linux-kbuild-\S+"))
    folder = unpacked / "usr/src" / headers
    # The one absolute path in there: to the other package's Makefile.
    (folder / "Makefile").write_text(f"include {unpacked}/usr/src/{common}/Makefile\n")
    shutil.copy(FORGE, work)
    (work / "Kbuild").write_text(f"obj-m := {FORGE.stem}.o\n")
    _output("make", "-C", str(folder), f"M={work}", "modules")
    return work / f"{FORGE.stem}.ko"


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
