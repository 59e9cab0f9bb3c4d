# SPDX-License-Identifier: Apache-2.0
"""The options that the scripts of etc/aodh give to 'openstack alarm create'."""

import os
import pathlib
import subprocess

import pytest

AODH = pathlib.Path(__file__).parents[2] / "etc/aodh"
SCRIPTS = sorted(path.name for path in AODH.glob("*.sh"))
GNOCCHI_SCRIPTS = [name for name in SCRIPTS if "prometheus" not in name]
URL = "https://alarms.example.org/"


@pytest.fixture
def created(tmp_path):
    """Run a script with a stand-in for 'openstack'. Return its options and their values."""
    program = tmp_path / "openstack"
    program.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\n')
    program.chmod(0o755)

    def run(script, **variables):
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "INSTANCE": "c5c7f37b", "SERVER_GROUP": "web", "WEBHOOK": URL, **variables,
        }  # fmt: skip
        done = subprocess.run(
            ["sh", AODH / script], env=environment, check=True, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        command, options = done.stdout.splitlines()[:2], done.stdout.splitlines()[2:]
        assert command == ["alarm", "create"]
        return dict(zip(options[::2], options[1::2], strict=True))

    return run


@pytest.mark.parametrize("script", SCRIPTS)
def test_webhook_is_called_for_every_state(created, script):
    options = created(script)
    called = [options[f"--{name}-action"] for name in ("alarm", "ok", "insufficient-data")]
    assert called == [URL] * 3


@pytest.mark.parametrize("script", SCRIPTS)
def test_only_alarm_calls_the_webhook_for_no_other_state(created, script):
    options = created(script, ONLY_ALARM="1")
    assert [name for name in options if name.endswith("-action")] == ["--alarm-action"]


@pytest.mark.parametrize("script", GNOCCHI_SCRIPTS)
@pytest.mark.parametrize(("variables", "expected"), [({}, "3"), ({"PERIODS": "10"}, "10")])
def test_periods_sets_how_many_values_are_compared(created, script, variables, expected):
    assert created(script, **variables)["--evaluation-periods"] == expected


def test_window_sets_the_time_of_the_mean(created):
    assert "[10m]" in created("prometheus-memory.sh", WINDOW="10m")["--query"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_threshold_is_the_limit_in_percent(created, script):
    assert created(script, THRESHOLD="80")["--threshold"] == "80"


@pytest.mark.parametrize("script", SCRIPTS)
def test_missing_webhook_creates_no_alarm(created, script):
    with pytest.raises(subprocess.CalledProcessError):
        created(script, WEBHOOK="")
