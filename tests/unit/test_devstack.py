# SPDX-License-Identifier: Apache-2.0
"""The files that the DevStack plugin writes, with stand-ins for DevStack's functions."""

import pathlib
import subprocess
from importlib import resources

import pytest
import yaml
from ceilometer.polling.manager import PollingSource

from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.polling_file import stock_pollsters

TREE = pathlib.Path(__file__).parents[2]
#: The files that Ceilometer's own DevStack plugin installs there.
POLLING_ALL = """---
sources:
    - name: all_pollsters
      interval: 300
      meters:
        - "*"
"""
STACK = """
set -eu
DEST=/nowhere
MEMBALLOON_DIR={tree}
MEMBALLOON_PERIOD={period}
CEILOMETER_CONF_DIR={folder} CEILOMETER_CONF={folder}/ceilometer.conf NOVA_CONF={folder}/nova.conf
CEILOMETER_DIR={ceilometer}
define_plugin() {{ :; }}
plugin_requires() {{ :; }}
is_service_enabled() {{ true; }}
echo_summary() {{ echo "$@"; }}
setup_install() {{ echo "installed $1"; }}
iniset() {{ echo "$@" >>{folder}/inisets; }}
source {tree}/devstack/settings
for phase in pre-install install post-config extra post-config; do
    source {tree}/devstack/plugin.sh stack $phase
done
"""


@pytest.fixture
def stack(tmp_path):
    """Run every phase, and the configuring phase twice. Return the output."""
    (tmp_path / "polling.yaml").write_text(POLLING_ALL)
    # The layout of Ceilometer's repository, which contains the package.
    ceilometer = pathlib.Path(str(resources.files("ceilometer"))).parent

    def run(period=""):
        script = STACK.format(tree=TREE, period=period, folder=tmp_path, ceilometer=ceilometer)
        done = subprocess.run(
            ["bash", "-c", script], check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    return run


@pytest.fixture
def sources(stack, tmp_path):
    stack()
    loaded = yaml.safe_load((tmp_path / "polling.yaml").read_text())
    return {one["name"]: PollingSource(one) for one in loaded["sources"]}


def test_package_is_installed_from_its_folder(stack):
    assert f"installed {TREE}" in stack()


def test_no_meter_is_polled_twice(sources):
    both = {meter.name for meter in METERS.values()} & stock_pollsters()
    assert both
    for name in [*both, *METERS]:
        assert not sources["all_pollsters"].support_meter(name)


def test_other_stock_meters_are_still_polled(sources):
    for name in ("cpu", "vcpus", "memory", "disk.device.read.bytes"):
        assert sources["all_pollsters"].support_meter(name)


def test_own_meters_are_polled_by_their_source(sources):
    assert sources["guest_memory"].support_meter("memory_usage")
    assert sources["guest_memory"].get_interval() == 60


def test_gnocchi_keeps_every_meter(stack, tmp_path):
    stack()
    loaded = yaml.safe_load((tmp_path / "gnocchi_resources.yaml").read_text())
    listed = {
        name
        for one in loaded["resources"]
        if one["resource_type"] == "instance"
        for name in one["metrics"]
    }
    assert {meter.name for meter in METERS.values()} <= listed


def test_period_is_novas_and_the_agents(stack, tmp_path):
    stack(period="30")
    written = (tmp_path / "inisets").read_text().splitlines()
    files = {line.split()[0].rpartition("/")[2] for line in written if line.endswith(" 30")}
    assert files == {"ceilometer.conf", "nova.conf"}
