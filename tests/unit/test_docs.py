# SPDX-License-Identifier: Apache-2.0
"""A test runs every command in README.rst and doc/, or the page says what the command needs."""

import configparser
import itertools
import pathlib
import re

import pytest

from ceilometer_memballoon.opts import list_opts
from ceilometer_memballoon.reasons import STATES

TREE = pathlib.Path(__file__).parents[2]
PAGES = [TREE / "README.rst", TREE / "CONTRIBUTING.rst", *sorted(TREE.glob("doc/**/*.rst"))]
PROGRAMS = (
    r"(?:\./tools/|\.tox/|pip3? |python |tox |tempest |sh |cp |cat |promtool |reno |"
    r"ceilometer-[a-z]+ |oslo-config-generator |virsh |twine |openstack |node |npm |apt-get |"
    r"git |INSTANCE=)"
)
#: Matches a line of a literal block, or an inline literal of more than one word.
COMMAND = re.compile(rf"^ +(?:\$ )?({PROGRAMS}.*)$|``({PROGRAMS}[^`]+)``", re.MULTILINE)
#: Matches the mark near a command that no test can run.
NEEDS = re.compile(r"\*needs (?:a real cloud|an account|a key|root on Debian)\*")

#: The test that runs a command, and a text in that test that proves it.
RUN_BY = {
    r"\./tools/demo": ("tests/e2e/test_demo.py", "tests.lab.demo"),
    r"\./tools/fetch": ("tools/test", "tools.testrun"),
    r"\./tools/cloud": ("tests/cloud/tool.py", "tests.lab.cloud"),
    r"sh etc/ceilometer/nova-period.sh": ("tests/unit/test_nova_period.py", "nova-period.sh"),
    r"openstack metric measures show": ("tests/cloud/test_tool.py", '"metric", "measures", "show"'),
    r"openstack server list": ("tests/cloud/test_tool.py", '"server", "list"'),
    r"openstack alarm list": ("tests/cloud/test_tool.py", '"alarm", "list"'),
    r"openstack --os-compute-api-version 2.37 server create": (
        "tests/cloud/test_tool.py", '"server", "create"',
    ),
    r"openstack server delete mine": ("tests/cloud/test_tool.py", '"server", "delete"'),
    r"openstack server show UUID": ("tests/cloud/test_tool.py", '"server", "show"'),
    r"openstack server reboot --hard UUID": (
        "tests/cloud/test_tool.py", '"server", "reboot", "--hard"',
    ),
    r"openstack console log show UUID": ("tests/cloud/test_tool.py", '"console", "log", "show"'),
    r"tox run --notest -e tempest": ("tools/testrun/fetch.py", '"--notest"'),
    r"tempest init\b": ("tests/lab/cloud/tempest.py", '"init", WORKSPACE'),
    r"tempest run --workspace my-cloud --regex memballoon_tempest_plugin": (
        "tests/lab/cloud/tempest.py", '"--workspace", WORKSPACE, "--regex"',
    ),
    r"pip install --no-deps ceilometer-memballoon": (
        "tests/install/test_install.py", '"install", "--no-index", "--no-deps"',
    ),
    r"\./tools/test": (".ci/run", "./tools/test"),
    r"\.tox/qemu/bin/pytest tests/qemu/test_faults.py -k (?:continuously|hangs)": (
        "tests/qemu/test_faults.py", "continuously",
    ),
    r"\.tox/e2e/bin/pytest tests/e2e/test_meters.py": ("tests/e2e/test_meters.py", "def test_"),
    r"pip install (?:ceilometer-memballoon|\.|-e \.)": (
        "tests/install/test_install.py", '"install"',
    ),
    r"pip uninstall ceilometer-memballoon": ("tests/install/test_install.py", '"uninstall"'),
    r"apt-get install .*(?:build-essential|python3-pip) ?": (
        "tests/lab/distro/root.py", '"build-essential"',
    ),
    r"cp -r packaging/debian": ("tests/debian/conftest.py", '"packaging/debian"'),
    r"apt-get build-dep": ("tests/debian/conftest.py", '"dpkg-buildpackage"'),
    r"apt-get install \.\./": ("tests/debian/conftest.py", '"dpkg", "--install"'),
    r"pip install --break-system": ("tests/debian/test_pip.py", '"install", "--break-system'),
    r"pip uninstall --break-system": ("tests/debian/test_pip.py", '"uninstall", "--break-sys'),
    r"ceilometer-memballoon guest enable --all --yes": (
        "tests/e2e/test_read_only.py", '"guest", "enable", "--all", "--yes"',
    ),
    r"pip check": ("tests/install/test_install.py", '"check"'),
    r"ceilometer-memballoon check": ("tests/e2e/test_command.py", '"check"'),
    r"ceilometer-memballoon guest list": ("tests/e2e/test_command.py", '"guest", "list"'),
    r"ceilometer-memballoon --config-file FILE guest list": (
        "tests/cloud/conftest.py", '"guest", "list"',
    ),
    r"ceilometer-memballoon guest show": ("tests/e2e/test_command.py", '"guest", "show"'),
    r"ceilometer-memballoon complete": ("tests/libvirt/test_command.py", '"complete"'),
    r"ceilometer-memballoon \[": ("tests/e2e/test_command.py", "--config-file"),
    r"ceilometer-polling --polling-namespaces compute": ("tests/lab/agent.py", "--polling-names"),
    r"oslo-config-generator ": ("tests/libvirt/test_pollsters.py", "oslo_config.generator"),
    r"promtool check config": ("tests/chain/test_rules.py", '"check", "config"'),
    r"(?:INSTANCE=\w+ WEBHOOK=|sh etc/aodh/instance-memory.sh)": (
        "tests/chain/test_alarms.py", "instance-memory.sh",
    ),
    r"pip wheel --no-deps \.": ("tests/install/test_install.py", '"wheel"'),
    r"cp -n etc/ceilometer/polling.yaml": ("tests/e2e/test_agent.py", "ceilometer/polling.yaml"),
    r"c(?:p|at) .*gnocchi_resources": ("tests/lab/chain/gnocchi.py", "gnocchi_resources.memb"),
    r"python -m cProfile -s tottime -m bench.simulated": ("tests/e2e/test_bench.py", "cProfile"),
    r"virsh dommemstat$": ("tests/e2e/test_meters.py", '"dommemstat"'),
    r"virsh dommemstat DOMAIN --period 0": ("tests/qemu/test_guests.py", '"--period", "0"'),
    r"virsh domstats --balloon": ("bench/contestants.py", "domstats --balloon"),
    r"virsh domjobinfo": ("tests/qemu/test_jobs.py", '"domjobinfo"'),
    r"virsh domcontrol": ("tests/e2e/test_command.py", "virsh domcontrol"),
    r"\.tox/docs/bin/reno new NAME": ("doc/requirements.txt", "reno"),
}  # fmt: skip


def commands():
    """Yield page, command and the surrounding text."""
    for page in PAGES:
        text = page.read_text()
        for match in COMMAND.finditer(text):
            around = text[max(0, match.start() - 400) : match.end() + 40]
            yield page, " ".join((match[1] or match[2]).split()), around


FOUND = list(commands())
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(TREE / "tox.ini")


def environments():
    """Return the names of the tox environments, with braces expanded."""
    for section in TOX.sections():
        name = section.removeprefix("testenv:")
        parts = [p.strip("{}").split(",") for p in re.split(r"({[^}]*})", name) if p]
        yield from map("".join, itertools.product(*parts))


@pytest.mark.parametrize(
    ("page", "command", "around"), FOUND, ids=[f"{p.name}: {c}" for p, c, _ in FOUND]
)
def test_command_is_run_by_a_test_or_says_what_it_needs(page, command, around):
    if command.startswith("tox -e "):
        names = re.split(r"[ ,]", command.removeprefix("tox -e "))
        names = itertools.takewhile(lambda name: name not in ("--", "#"), names)
        assert set(names) <= set(environments())
        return
    runs = [where for pattern, where in RUN_BY.items() if re.match(pattern, command)]
    if not runs:
        assert NEEDS.search(around), "no test runs it, and it does not say what it needs"
    for path, words in runs:
        assert words in (TREE / path).read_text()


def test_documentation_has_commands():
    assert len({command for _, command, _ in FOUND}) > 20


def test_no_example_opens_a_service_to_every_address():
    examples = [*PAGES, *(path for path in TREE.glob("etc/**/*") if path.is_file())]
    for path in examples:
        assert not re.search(r"(?:0\.0\.0\.0|\[::\]):", path.read_text()), path


def test_prose_names_every_option_with_its_default():
    page = (TREE / "doc/source/configuration/options.rst").read_text()
    rows = re.findall(r"^``\[(\w+)\] (\w+)`` +(\S+) ", page, re.MULTILINE)
    expected = [(group, opt.name, opt.default) for group, found in list_opts() for opt in found]
    assert rows == [(group, name, str(default)) for group, name, default in expected]


def test_prose_names_the_number_of_every_state():
    page = " ".join((TREE / "doc/source/reference/reasons.rst").read_text().split())
    numbers = ((number, reason.value if reason else "ok") for reason, number in STATES.items())
    assert ", ".join(f"{number} {name}" for number, name in numbers) in page
