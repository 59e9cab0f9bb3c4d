# SPDX-License-Identifier: Apache-2.0
"""The demo of ./tools/demo, for a few seconds."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

TREE = pathlib.Path(__file__).parents[2]
SECONDS = 180
COMMAND = (sys.executable, "-m", "tests.lab.demo")
#: Runs a command as a script does in the background: with SIGINT ignored.
IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


@pytest.fixture
def start_demo(hypervisor):
    """Start the demo. It needs a lab, as the hypervisor does."""
    started = []

    def start(seconds, prefix=()):
        demo = subprocess.Popen(
            (*prefix, *COMMAND), cwd=TREE, env={**os.environ, "DEMO_SECONDS": str(seconds)},
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )  # fmt: skip
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.kill()
        demo.communicate(timeout=SECONDS)


def test_demo_shows_three_guests_and_why_one_has_no_usage(start_demo):
    demo = start_demo(5)
    shown, _ = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0
    assert {"steady", "climbing", "driverless"} <= set(shown.split())
    assert "no usage: no guest driver" in shown


def test_demo_in_the_background_of_a_script_ends(start_demo):
    demo = start_demo(5, IN_BACKGROUND)
    demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0


def test_interrupted_demo_leaves_nothing_running(start_demo):
    demo = start_demo(600)
    for line in demo.stdout:
        if "climbing" in line:
            break
    demo.send_signal(signal.SIGINT)
    shown, _ = demo.communicate(timeout=SECONDS)
    assert (demo.returncode, shown.strip().splitlines()[-1]) == (
        130, "Stopped; nothing is left running.",
    )  # fmt: skip
