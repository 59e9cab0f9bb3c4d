# SPDX-License-Identifier: Apache-2.0
"""Build a guest's image: a Debian cloud kernel and an initramfs of busybox.

Nothing is installed. The packages of the kernel are downloaded and unpacked. A guest that forges
statistics also needs the kernel headers. The result is kept in a cache folder, named after the
kernel and the recipe.
"""

import dataclasses
import functools
import gzip
import hashlib
import lzma
import pathlib
import shutil
import subprocess
import tempfile

from tests.lab.apt import Apt, run, unpacked
from tests.lab.cache import cache_dir, put

__all__ = ["Image", "build", "cache_dir", "unpacked"]

INIT = pathlib.Path(__file__).with_name("init.sh")
FORGE = pathlib.Path(__file__).with_name("forge.c")
BUSYBOX = pathlib.Path("/bin/busybox")
KERNEL_PACKAGE = "linux-image-cloud-amd64"
#: The balloon driver and the modules that it needs. Newer kernels have some of them built in.
BALLOON = "virtio_balloon"
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    BALLOON,
)
#: The function that reads a module file, by the file's last suffix.
UNPACK_MODULE = {".ko": bytes, ".xz": lzma.decompress}


@dataclasses.dataclass(frozen=True)
class Image:
    """The two files a guest boots from."""

    kernel: pathlib.Path
    initramfs: pathlib.Path


@functools.cache
def build(*, forge: bool = False, suite: str | None = None) -> Image:
    """Return the image. Build it if the cache does not have it.

    forge: Whether to add the kernel module of forge.c, which needs kernel headers and make.
    suite: The Debian release of the kernel; None for the machine's own.
    Raises subprocess.CalledProcessError or TimeoutExpired if a package cannot be downloaded.
    """
    apt = Apt(suite)
    package = apt.dependency(KERNEL_PACKAGE, r"linux-image-\S+")
    recipe = hashlib.sha256(INIT.read_bytes() + BUSYBOX.read_bytes() + "".join(MODULES).encode())
    if forge:
        recipe.update(FORGE.read_bytes())
    target = cache_dir() / f"{package}-{recipe.hexdigest()[:12]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _build_into(pathlib.Path(scratch) / "image", apt, package, forge)
            put(pathlib.Path(scratch) / "image", target)
    return Image(target / "vmlinuz", target / "initramfs")


def _build_into(target: pathlib.Path, apt: Apt, package: str, forge: bool) -> None:
    work = target.with_name("work")
    # From Debian 14 on the image package is empty and depends on its parts.
    parts = apt.dependencies(package, r"linux-(?:binary|modules)-\S+")
    files = apt.unpack(work, package, *parts)
    (kernel,) = [*files.glob("boot/vmlinuz-*"), *files.glob("usr/lib/modules/*/vmlinuz")]
    target.mkdir()
    shutil.copy(kernel, target / "vmlinuz")
    root = work / "root"
    for folder in ("bin", "modules"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    _copy_modules(files, root / "modules")
    if forge:
        shutil.copy(_build_forge(work / "forge", apt, package), root / "modules")
    (target / "initramfs").write_bytes(gzip.compress(_archive(root), compresslevel=6))


def _copy_modules(files: pathlib.Path, target: pathlib.Path) -> None:
    """Copy the kernel's modules of MODULES, uncompressed.

    Modules that the kernel has built in, or does not have, are left out. The balloon driver must
    be a module, because the guest loads and unloads it.
    """
    for module in MODULES:
        found = [*files.glob(f"**/modules/*/kernel/**/{module}.ko*")]
        for file in found:
            content = UNPACK_MODULE[file.suffix](file.read_bytes())
            (target / f"{module}.ko").write_bytes(content)
    if not (target / f"{BALLOON}.ko").exists():
        raise RuntimeError(f"the kernel has no module {BALLOON}")


def _build_forge(work: pathlib.Path, apt: Apt, kernel: str) -> pathlib.Path:
    """Build the module of forge.c for that kernel. Return the module's path."""
    headers = kernel.replace("linux-image", "linux-headers")
    common = apt.dependency(headers, r"linux-headers-\S+-common")
    kbuild = apt.dependency(headers, r"linux-kbuild-\S+")
    files = apt.unpack(work, headers, common, kbuild)
    folder = files / "usr/src" / headers
    # The package's own Makefile has absolute paths of this folder and of the other package's.
    # Kernels after 6.12 look for their configuration in KBUILD_OUTPUT.
    lines = f"KBUILD_OUTPUT={folder}\ninclude {files}/usr/src/{common}/Makefile\n"
    (folder / "Makefile").write_text(lines)
    shutil.copy(FORGE, work)
    (work / "Kbuild").write_text(f"obj-m := {FORGE.stem}.o\n")
    # Type information for a module needs pahole and the kernel's type information, which no package
    # has.
    options = (f"M={work}", "CONFIG_DEBUG_INFO_BTF_MODULES=")
    run("make", "-C", str(folder), *options, "modules")
    return work / f"{FORGE.stem}.ko"


def _archive(root: pathlib.Path) -> bytes:
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    command = [str(BUSYBOX), "cpio", "-o", "-H", "newc"]
    done = subprocess.run(
        command, cwd=root, input=names.encode(), capture_output=True, check=True, timeout=60
    )
    return done.stdout


if __name__ == "__main__":
    for with_forge in (False, True):
        print(build(forge=with_forge).kernel.parent)
