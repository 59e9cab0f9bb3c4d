# SPDX-License-Identifier: Apache-2.0
"""What etc/ceilometer/nova-period.sh prints, as the agent reads it."""

import pathlib
import subprocess

import pytest
from oslo_config import cfg

from ceilometer_memballoon.opts import LIBVIRT_OPTS

SCRIPT = pathlib.Path(__file__).parents[2] / "etc/ceilometer/nova-period.sh"
DEFAULT = 10
#: A file that ends within its section, as Debian's nova-compute.conf does.
COMPUTE = "[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\n[libvirt]\nvirt_type = kvm\n"


@pytest.fixture
def run(tmp_path):
    """Run the script with files of these contents."""

    def run_script(*contents):
        paths = [tmp_path / f"{number}.conf" for number in range(len(contents))]
        for path, text in zip(paths, contents, strict=True):
            path.write_text(text)
        return subprocess.run(
            ["sh", SCRIPT, *paths], check=False, capture_output=True, text=True, timeout=30
        )

    return run_script


@pytest.fixture
def period(run, tmp_path):
    """Return the agent's period with the file that the script printed."""

    def read(*contents):
        done = run(*contents)
        assert done.returncode == 0, done.stderr
        printed = tmp_path / "memballoon.conf"
        printed.write_text(done.stdout)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[str(printed)])
        conf.register_opts(LIBVIRT_OPTS, group="libvirt")
        return conf.libvirt.mem_stats_period_seconds

    return read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[libvirt]\nmem_stats_period_seconds = 20\n", 20),
        ("[libvirt]\nmem_stats_period_seconds=20", 20),
        ("[libvirt]\nmem_stats_period_seconds: 20\n", 20),
        ("[libvirt]\nmem_stats_period_seconds\t= 20\n", 20),
        ("[libvirt]\nvirt_type = kvm\n[libvirt]\nmem_stats_period_seconds = 20\n", 20),
        ("[libvirt]\nmem_stats_period_seconds = 0\n", 0),
        ("[libvirt]\nmem_stats_period_seconds = 20\r\n", 20),
        ("[libvirt]\n# mem_stats_period_seconds = 99\nvirt_type = kvm\n", DEFAULT),
        ("[libvirt]\nvirt_type = kvm\n[vnc]\nmem_stats_period_seconds = 98\n", DEFAULT),
        ("[libvirt]\nmem_stats_period_seconds = 20\n[vnc]\n[libvirt]\nvirt_type = kvm\n", 20),
        ("[DEFAULT]\nlog_dir = /var/log/nova\n", DEFAULT),
        ("", DEFAULT),
    ],
)
def test_period_is_novas(period, text, expected):
    assert period(text) == expected


def test_value_of_the_last_file_counts(period):
    first = COMPUTE + "mem_stats_period_seconds = 30\n"
    assert period(first, "[libvirt]\nmem_stats_period_seconds = 60\n") == 60


def test_section_does_not_reach_into_the_next_file(period):
    assert period(COMPUTE, "mem_stats_period_seconds = 60\n") == DEFAULT


def test_no_other_option_is_printed(run):
    text = f"{COMPUTE}mem_stats_period_seconds = 20\nlive_migration_uri = qemu+ssh://other\n"
    assert run(text).stdout == "[libvirt]\nmem_stats_period_seconds = 20\n"


def test_missing_file_fails_and_prints_nothing(run, tmp_path):
    done = subprocess.run(
        ["sh", SCRIPT, tmp_path / "nova.conf"],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "nova.conf" in done.stderr


def test_no_file_is_an_error_with_a_remedy(run):
    done = run()
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "the paths of the configuration files of nova-compute" in done.stderr
