# SPDX-License-Identifier: Apache-2.0
"""The parts of the tests that are run on each release."""

import dataclasses

from tests.lab.distro import environment, root

#: Tests whose result depends on the versions of libvirt and QEMU.
BY_VERSION = ("-m", "by_version")
#: Installs the tree among the Python packages, then runs the command.
INSTALLED = (
    f"uv pip install --quiet --offline --python {environment.PYTHON} --no-deps "
    '--no-build-isolation --editable . && exec "$@"'
)
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")
OWN_PYTEST = ("python3", *PYTEST)


@dataclasses.dataclass(frozen=True)
class Part:
    """One run of pytest.

    arguments: Arguments of pytest.
    own: Whether to use the release's own Ceilometer and pytest, and the Debian package. If not,
        pip's packages are used.
    kernels: Whether it boots guests with the kernels of other releases.
    """

    name: str
    arguments: tuple[str, ...]
    own: bool = False
    kernels: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of its root folder."""
        return root.OWN if self.own else root.LAB

    def command(self, more: list[str]) -> tuple[str, ...]:
        """Return the command. more: further arguments of pytest."""
        if self.own:
            return (*OWN_PYTEST, *self.arguments, *more)
        tests = (environment.PYTHON, *PYTEST, *self.arguments, *more)
        return ("sh", "-c", INSTALLED, "sh", *tests)


UNIT = Part("unit, libvirt", ("tests/unit", "tests/libvirt"))
QEMU = Part("qemu", ("tests/qemu",), kernels=True)
E2E = Part("e2e", ("tests/e2e",))
#: The first test builds and installs the package, and all other tests use it.
PACKAGE = Part("package", ("tests/debian", "tests/unit", "tests/libvirt"), own=True)

VERSIONS = Part("qemu, by version", ("tests/qemu", *BY_VERSION))
#: Suite and parts by the environment's name.
RELEASES = {
    "debian13": ("trixie", (UNIT, QEMU, E2E, PACKAGE)),
    "debian13-short": ("trixie", (UNIT, VERSIONS)),
    "debian-sid": ("sid", (UNIT, QEMU)),
}
#: Runs the tests that further arguments name.
SELECTED = Part("selected", (), kernels=True)
