# SPDX-License-Identifier: Apache-2.0
"""The operator's command as a process, on a lab guest of each kind.

The tests without the fixture ``settled`` come first. It waits for half a minute, until the last
statistics of two guests are old.
"""

import contextlib
import itertools
import json
import os
import pathlib
import pty
import signal
import subprocess
import sys

import pytest

from ceilometer_memballoon.reading import REMEDIES, Reason
from tests.lab.agent import configure
from tests.lab.guest import Guest
from tests.lab.privileged import ACCESS_CONTROL, ROOT_WRITES, RULE
from tests.lab.waiting import wait_for
from tests.libvirt.test_check import rows

PROGRAM = str(pathlib.Path(sys.executable).with_name("ceilometer-memballoon"))
SECONDS = 60
DEADLINE = 2.0
MIB = 2**20
pytestmark = pytest.mark.usefixtures("guests")

#: Each kind of guest, and its expected verdict.
KINDS = {
    "healthy": ({"period": 10}, "ok"),
    "off": ({"period": None}, "stale"),
    "driverless": ({"driver": False}, "no guest driver"),
    "deviceless": ({"model": "none", "period": None}, "no balloon device"),
    "paused": ({"paused": True}, "paused"),
    "forger": ({"forge": True, "period": 1}, "implausible"),
    "hung": ({"period": 10}, "not responding"),
    "panicked": ({"period": 10}, "stale"),
}


@pytest.fixture(scope="module")
def guests(hypervisor):
    """A guest of each kind, by kind. The hung guest hangs."""
    booting = {
        kind: Guest(hypervisor, f"instance-{number}", display_name=kind, **how)
        for number, (kind, (how, _)) in enumerate(KINDS.items())
    }
    for kind, guest in booting.items():
        if kind != "paused":
            guest.wait_until_up()
    booting["forger"].forge(available=200 * MIB, usable=20 * MIB)
    booting["panicked"].panic()
    booting["hung"].hang()
    yield booting
    booting["hung"].unhang()
    for guest in booting.values():
        guest.destroy()


@pytest.fixture(scope="module")
def config(hypervisor, guests):
    """A ceilometer.conf for these guests, with the default period and a short boot time."""
    path, _ = configure(hypervisor, timeout=DEADLINE)
    path.write_text(path.read_text().replace("[memballoon]", "[memballoon]\nboot_seconds = 5"))
    return path


@pytest.fixture(scope="module")
def settled(config, guests):
    """The output of 'guest list' after the statistics of silent guests have become stale."""
    expected = {kind: verdict for kind, (_, verdict) in KINDS.items()}
    wait_for(lambda: verdicts(config) == expected, SECONDS, f"{expected}", lambda: table(config))
    return {guest["Name"]: guest for guest in listed(config)}


def run(config, *words):
    command = [PROGRAM, "--config-file", str(config), *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def listed(config, *words):
    done = run(config, "guest", "list", "-f", "json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def table(config):
    return run(config, "guest", "list").stdout


def verdicts(config):
    return {guest["Name"]: guest["Verdict"] for guest in listed(config)}


def test_hung_guests_beyond_the_limit_are_listed_with_names_and_reasons(boot, hypervisor):
    hung = [boot(f"more-{n}", wait=False, paused=True, display_name=f"more-{n}") for n in range(6)]
    for guest in hung:
        guest.hang()
    try:
        listed_now = listed(configure(hypervisor, timeout=DEADLINE)[0])
    finally:
        for guest in hung:
            guest.unhang()
    found = {guest["Name"]: guest["Verdict"] for guest in listed_now}
    assert {guest.display_name for guest in hung} <= found.keys()
    reasons = {found[guest.display_name] for guest in hung}
    assert reasons <= {Reason.NOT_RESPONDING.value, Reason.NOT_ASKED.value}


def virsh(hypervisor, *words):
    return ["virsh", "--connect", hypervisor.uri, *words]


def test_virsh_domcontrol_shows_a_qemu_that_does_not_answer(boot, hypervisor):
    guest = boot("unasked")
    guest.hang()

    def control():
        # The state that 'virsh domcontrol DOMAIN' shows.
        command = virsh(hypervisor, "domcontrol", guest.name)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    asking = subprocess.Popen(virsh(hypervisor, "dommemstat", guest.name))
    try:
        wait_for(lambda: "occupied" in control(), SECONDS, "an occupied monitor", control)
    finally:
        guest.unhang()
        asking.wait(SECONDS)


def test_silent_libvirtd_gives_one_error_line_within_the_deadline(hypervisor):
    config, _ = configure(hypervisor, timeout=DEADLINE)
    hypervisor.signal_daemon(signal.SIGSTOP)
    try:
        done = run(config, "guest", "list")
    finally:
        hypervisor.signal_daemon(signal.SIGCONT)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "no answer within" in done.stderr


def test_ctrl_c_at_the_question_ends_the_command_while_libvirtd_hangs(hypervisor):
    config, _ = configure(hypervisor, timeout=DEADLINE)
    master, terminal = pty.openpty()
    os.set_blocking(master, False)
    said = bytearray()

    def has_asked():
        with contextlib.suppress(BlockingIOError):
            said.extend(os.read(master, 4096))
        return b"[y/N]" in said

    command = [PROGRAM, "--config-file", str(config), "guest", "enable", "--all"]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        try:
            wait_for(has_asked, SECONDS, "the question", said.decode)
            hypervisor.signal_daemon(signal.SIGSTOP)
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 130
        finally:
            process.kill()
            hypervisor.signal_daemon(signal.SIGCONT)
            os.close(master)
            os.close(terminal)


def checked(hypervisor, config):
    """Return the results of 'check' as the agent's user: result and text in one line, by check."""
    done = subprocess.run(
        [*hypervisor.as_user, PROGRAM, "--config-file", str(config), "check"],
        check=False, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    return rows(done)


def test_check_finds_that_access_control_refuses_a_period(privileged, boot_on):
    hypervisor = privileged(ACCESS_CONTROL)
    rule = hypervisor.folder / "root/etc/polkit-1/rules.d" / RULE.name
    rule.write_text(rule.read_text().replace('"org.libvirt.api.domain.write"', '"none"'))
    boot_on(hypervisor, period=2)
    config, _ = configure(hypervisor, uri="qemu:///system")
    result, text = checked(hypervisor, config)["libvirt, to set periods"]
    found = (result, "can be set" in text, "Allow this user to write" in text)
    assert found == ("Warning", False, True)


def test_check_warns_of_refused_write_access(privileged):
    hypervisor = privileged(ROOT_WRITES)
    config, _ = configure(hypervisor, uri="qemu:///system")
    done = subprocess.run(
        [*hypervisor.as_user, PROGRAM, "--config-file", str(config), "check"],
        check=False, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Allow this user to write to libvirt" in " ".join(done.stdout.replace("|", "").split())


def test_list_shows_the_reason_for_each_kind_of_guest(settled):
    found = {name: guest["Verdict"] for name, guest in settled.items()}
    assert found == {kind: verdict for kind, (_, verdict) in KINDS.items()}


def test_list_fits_into_a_hundred_columns(settled, config, measured):
    text = table(config)
    measured("guest list", "\n" + text)
    assert max(map(len, text.splitlines())) <= 100


def test_list_changes_nothing(settled, guests):
    assert guests["off"].live_period() == 0


def test_list_shows_whether_the_period_is_the_options(settled):
    found = {
        kind: settled[kind]["Period matches option"] for kind in ("healthy", "off", "deviceless")
    }
    assert found == {"healthy": True, "off": False, "deviceless": None}


def test_problem_filter_lists_only_problems(settled, config):
    names = {guest["Name"] for guest in listed(config, "--problem")}
    assert names == set(KINDS) - {"healthy"}


@pytest.mark.parametrize("kind", [kind for kind, (_, verdict) in KINDS.items() if verdict != "ok"])
def test_show_prints_the_remedy_for_each_reason(settled, config, kind):
    shown = json.loads(run(config, "guest", "show", kind, "-f", "json").stdout)
    assert shown["what to do"] == REMEDIES[Reason(KINDS[kind][1])]


def test_show_has_the_meters_of_a_healthy_guest(settled, config):
    shown = json.loads(run(config, "guest", "show", "healthy", "-f", "json").stdout)
    used = (shown["libvirt: available"] - shown["libvirt: usable"]) / 1024
    assert [v for n, v in shown.items() if n.startswith("memory.usage")] == [used]


def test_enable_sets_periods_and_says_why_it_skips_guests(settled, config, guests):
    words = ("off", "healthy", "deviceless", "hung")
    done = run(config, "guest", "enable", *words, "-f", "json")
    results = {guest["Name"]: guest["Result"] for guest in json.loads(done.stdout)}
    assert results == {
        "off": "set to 10 s, answered",
        "healthy": "already 10 s",
        "deviceless": "skipped: no balloon device",
        "hung": "skipped: not responding",
    }
    assert done.returncode == 0
    assert guests["off"].live_period() == 10


@pytest.fixture
def terminal():
    """A pseudo-terminal, and a function that returns what a program has written to it so far."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    said = bytearray()

    def read():
        with contextlib.suppress(BlockingIOError):
            said.extend(os.read(master, 65536))
        return said.decode(errors="replace")

    yield slave, read
    os.close(master)
    os.close(slave)


def test_watch_redraws_in_place_and_ends_on_ctrl_c(settled, config, terminal):
    slave, read = terminal
    command = [PROGRAM, "--config-file", str(config), "guest", "list", "--watch", "1"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        try:
            wait_for(lambda: read().count("\033[H") > 1, SECONDS, "two blocks", read)
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 130
        finally:
            process.kill()
    assert "Traceback" not in read()
    assert max(map(len, read().splitlines())) <= 110


def test_watch_in_a_pipe_prints_one_block_after_the_other_with_trends(settled, config):
    command = [PROGRAM, "--config-file", str(config), "guest", "list", "--watch", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        blocks = itertools.takewhile(lambda lines: True, iter(process.stdout.readline, ""))
        try:
            seen = [line for _, line in zip(range(40), blocks, strict=False)]
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 130
        finally:
            process.kill()
    assert sum("Faults/s" in line for line in seen) > 1
    assert not any("\033" in line for line in seen)


def test_check_reports_settable_periods_after_setting_one(settled, config):
    result, text = rows(run(config, "check"))["libvirt, to set periods"]
    assert (result, "Statistics periods can be set: tried" in text) == ("Success", True)
