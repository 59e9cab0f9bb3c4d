# SPDX-License-Identifier: Apache-2.0
"""What is run on each release, part by part."""

import dataclasses

from tests.lab.distro import environment, root

#: Tests whose outcome depends on the versions of libvirt and QEMU.
BY_VERSION = ("-m", "by_version")
#: Installs the tree among the Python packages, then runs the command.
INSTALLED = (
    f"uv pip install --quiet --offline --python {environment.PYTHON} --no-deps "
    '--no-build-isolation --editable . && exec "$@"'
)
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")
#: Older exporters than Ceilometer 26's keep what is gone.
OWN_PYTEST = ("python3", *PYTEST, "-m", "not purging_exporter")


@dataclasses.dataclass(frozen=True)
class Part:
    """One run of pytest.

    arguments: pytest's. own: with the release's own Ceilometer and pytest, and the Debian
    package; otherwise with those that pip would install. kernels: whether it boots guests
    with the kernels of other releases.
    """

    name: str
    arguments: tuple[str, ...]
    own: bool = False
    kernels: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """What its root folder has."""
        return root.OWN if self.own else root.LAB

    def command(self, more: list[str]) -> tuple[str, ...]:
        """The command. more: further arguments of pytest."""
        if self.own:
            return (*OWN_PYTEST, *self.arguments, *more)
        tests = (environment.PYTHON, *PYTEST, *self.arguments, *more)
        return ("sh", "-c", INSTALLED, "sh", *tests)


UNIT = Part("unit, libvirt", ("tests/unit", "tests/libvirt"))
QEMU = Part("qemu", ("tests/qemu",), kernels=True)
E2E = Part("e2e", ("tests/e2e",))
#: The first test builds and installs the package, which all others find installed.
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
