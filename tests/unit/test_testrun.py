# SPDX-License-Identifier: Apache-2.0
"""The runner of ./tools/test, with shell commands instead of tox."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import pytest

from tests.lab import download
from tests.lab.waiting import wait_for
from tools.testrun import environment, loopback, needs, packages, reaper
from tools.testrun import run as runner
from tools.testrun.environment import Environment, State

LAB = pathlib.Path(__file__).parents[1] / "lab"
SECONDS = 30
REACHES = """
import socket
near = socket.create_server(("127.0.0.1", 0))
socket.create_connection(near.getsockname(), timeout=5)
socket.socket().connect(("192.0.2.1", 80))
"""
#: Debian's sh loses a SIGINT that arrives before it has replaced itself by its command.
SHELL = ("bash", "-c")
OUTPUT = """
collecting ... collected 7 items / 3 deselected / 4 selected
tests/x.py::test_a PASSED                                  [ 25%]
tests/x.py::test_b[PASSED] FAILED                          [ 50%]
tests/x.py::test_c SKIPPED (no lab on this machine: a [b]) [ 75%]
tests/x.py::test_d PASSED                                  [100%]
tests/x.py::test_d ERROR                                   [100%]
=================================== FAILURES ===================================
why test_b failed
SKIPPED [1] tests/x.py:7: no lab on this machine: a [b]
FAILED tests/x.py::test_b
"""


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Make environments with these shell scripts as commands. Their limit is in seconds.

    An environment that does not end by itself is not killed, so that its test fails.
    """
    monkeypatch.setattr(environment, "LOGS", tmp_path)
    monkeypatch.setattr(environment, "END_SECONDS", float("inf"))
    monkeypatch.setattr(runner, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(runner, "LANES", 2)

    def make(scripts, limit=SECONDS):
        monkeypatch.setattr(environment, "command", lambda name, *_, **__: [*SHELL, scripts[name]])
        return [Environment(name, limit) for name in scripts]

    return make


def run(environments, depends=None):
    began = []

    def start(one):
        began.append(one.name)
        one.start([], isolated=False)

    depends = {one.name: (depends or {}).get(one.name, set()) for one in environments}
    runner.run(environments, start, lambda: None, depends)
    return began


def test_tests_are_counted_by_their_verdicts(scripted, tmp_path):
    (tmp_path / "said").write_text(OUTPUT)
    (one,) = scripted({"one": f"cat {tmp_path}/said; exit 1"})
    run([one])
    assert one.state is State.FAILED
    assert one.tests == {"passed": 2, "failed": 2, "skipped": 1, "deselected": 3}
    assert one.output.reasons == {"no lab on this machine: a [b]": 1}
    assert one.output.failures().splitlines()[1] == "why test_b failed"


def test_environment_without_tests_counts_as_one(scripted):
    good, bad = scripted({"good": "true", "bad": "echo what is wrong; exit 1"})
    run([good, bad])
    assert (good.passed, good.failed, bad.passed, bad.failed) == (1, 0, 0, 1)
    assert bad.output.failures() == "what is wrong"


def test_environment_waits_for_those_it_depends_on(scripted):
    environments = scripted({"coverage": "true", "unit": "sleep 0.2", "lint": "true"})
    assert run(environments, {"coverage": {"unit"}}) == ["unit", "lint", "coverage"]


def test_environment_past_its_limit_is_ended(scripted):
    (one,) = scripted({"one": "sleep 1000"}, limit=0.1)
    run([one])
    assert (one.state, one.failed) == (State.TIMED_OUT, 1)


def test_labs_of_an_environment_that_had_to_be_killed_are_taken_down(
    scripted, monkeypatch, tmp_path
):
    swept = []
    is_deaf = tmp_path / "is deaf"
    # Past its limit as soon as it is deaf.
    monkeypatch.setattr(Environment, "seconds", property(lambda _: is_deaf.exists() * 1e9))
    monkeypatch.setattr(runner, "_sweep", lambda one: swept.append(one.name))
    monkeypatch.setattr(environment, "END_SECONDS", 0.1)
    run(scripted({"deaf": f"trap '' INT; touch '{is_deaf}'; sleep 1000"}))
    assert swept == ["deaf"]


def test_ctrl_c_ends_all_and_lets_each_clean_up(scripted, tmp_path):
    def script(name):
        loop = "while :; do sleep 0.1; done"
        return f"trap 'echo cleaned; exit 0' INT; touch {tmp_path}/{name}; {loop}"

    environments = scripted({"one": script("one"), "two": script("two"), "waiting": "true"})

    def interrupt():
        for name in ("one", "two"):
            wait_for((tmp_path / name).exists, SECONDS, f"{name} to run")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(environments)
    thread.join()
    assert {one.state for one in environments} == {State.INTERRUPTED}
    assert [one.output.path.read_text() for one in environments[:2]] == ["cleaned\n"] * 2


def test_ctrl_c_while_one_starts_leaves_nothing_running(scripted):
    (one,) = scripted({"one": "sleep 1000"})

    def start(starting):
        starting.start([], isolated=False)
        starting.state = State.WAITING  # until the runner records that it runs
        os.kill(os.getpid(), signal.SIGINT)
        starting.state = State.RUNNING

    with pytest.raises(KeyboardInterrupt):
        runner.run([one], start, lambda: None, {"one": set()})
    assert one.state is State.INTERRUPTED


def reaped(script, **options):
    """Start bash below a reaper with this script."""
    return subprocess.Popen(
        [*reaper.WORDS, *SHELL, script], stdout=subprocess.PIPE, text=True, **options
    )


def test_process_without_a_parent_is_reaped_when_it_ends():
    with reaped(
        "(sleep 1000 >/dev/null & echo $!); read -r; exit 3", stdin=subprocess.PIPE
    ) as process:
        orphan = int(process.stdout.readline())
        os.kill(orphan, signal.SIGKILL)
        wait_for(lambda: not pathlib.Path(f"/proc/{orphan}").exists(), SECONDS, "its end")
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(SECONDS) == 3


def test_terminated_reaper_interrupts_its_command_and_waits_for_its_end():
    script = "trap 'echo cleaned; exit 4' INT; echo ready; while :; do sleep 0.1; done"
    with reaped(script) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert (process.stdout.readline(), process.wait(SECONDS)) == ("cleaned\n", 4)


def test_network_of_the_tests_reaches_loopback_alone():
    if not loopback.available():
        pytest.skip("only root can make a network")
    tried = subprocess.run(
        [*loopback.WORDS, sys.executable, "-c", REACHES],
        check=False, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert "Network is unreachable" in tried.stderr


def test_stalled_download_is_killed_and_restarted(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "PAUSE", 0)
    tries = tmp_path / "tries"
    # A child that keeps the output open, as apt's and npm's children do.
    script = f"echo x >>{tries}; [ $(wc -l <{tries}) = 2 ] && echo here || (sleep 1000; true)"
    assert download.attempt("sh", "-c", script, seconds=0.5) == "here\n"


def test_failed_download_gives_command_and_reason_in_one_line(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    with pytest.raises(download.DownloadError) as raised:
        download.attempt("sh", "-c", "echo no route; echo to host; exit 1", seconds=5, tries=2)
    assert str(raised.value).startswith("failed 2 times: sh -c ")
    assert str(raised.value).endswith(": no route / to host")


def test_every_unpacked_package_is_fetched_before_the_tests():
    calls = re.compile(r'unpacked\("([\w-]+)"\)')
    found = {name for file in LAB.rglob("*.py") for name in calls.findall(file.read_text())}
    assert len(found) > 3
    assert found <= set(needs.UNPACKED | needs.SERVICES | needs.CLOUD)


def test_environment_with_tempest_is_fetched_for_the_tests_of_the_cloud():
    assert needs.environments_for(["unit", "cloud"]) == ["unit", "cloud", "tempest"]


def test_every_system_package_has_its_purpose():
    assert packages.purposes()["postgresql"].startswith("Services behind the agent")
    assert all(packages.purposes().values())
