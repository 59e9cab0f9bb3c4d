# SPDX-License-Identifier: Apache-2.0
"""Download with short timeouts and a bounded number of tries.

This module needs only the standard library, because tools/testrun uses it before any environment
exists.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

TRIES = 3
#: Seconds between two tries. A proxy or a mirror can restart in that time.
PAUSE = 3.0
#: apt's default timeout is two minutes for each connection.
APT_OPTIONS = (
    "-o", "Acquire::Retries=1",
    "-o", "Acquire::http::Timeout=15",
    "-o", "Acquire::https::Timeout=15",
    "-o", "DPkg::Lock::Timeout=120",
)  # fmt: skip
LISTS_SECONDS = 120
LAST_LINES = 5


class DownloadError(subprocess.SubprocessError):
    """No try succeeded. The message is one line: the command and the end of its output."""


def attempt(
    *command: str | pathlib.Path,
    seconds: float,
    tries: int = TRIES,
    cwd: pathlib.Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """Run a command that downloads until it succeeds. Return its output.

    apt-get gets short timeouts.
    seconds: The limit of one try. Its processes are killed after that.
    tries: The number of tries.
    environment: The complete environment; the caller's if None.
    Raises DownloadError.
    """
    words = [str(word) for word in command]
    if "apt-get" in words:
        after = words.index("apt-get") + 1
        words[after:after] = APT_OPTIONS
    said = ""
    for number in range(tries):
        if number:
            time.sleep(PAUSE)
        status, said = _run(words, seconds, cwd, environment)
        if status == 0:
            return said
    last = " / ".join(line.strip() for line in said.strip().splitlines()[-LAST_LINES:])
    raise DownloadError(f"failed {tries} times: {' '.join(map(str, command))}: {last}")


def renew_lists(tries: int = TRIES) -> None:
    """Make apt download its package lists. Raises DownloadError, also without permission."""
    # Without this option apt succeeds when it uses old lists.
    strict = ("-o", "APT::Update::Error-Mode=any")
    attempt(*as_root(), "apt-get", *strict, "update", seconds=LISTS_SECONDS, tries=tries)


def as_root() -> tuple[str, ...]:
    """Return the words before a command that needs root. sudo never asks for a password."""
    return () if os.geteuid() == 0 or not shutil.which("sudo") else ("sudo", "-n")


def _run(
    words: list[str],
    seconds: float,
    cwd: pathlib.Path | None,
    environment: dict[str, str] | None,
) -> tuple[int, str]:
    """Return exit status and output. A command that takes too long has a status of its own."""
    process = subprocess.Popen(
        words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        said, _ = process.communicate()
        return -signal.SIGKILL, f"{said}\nno end after {seconds:g} s"
    except BaseException:
        _kill(process)
        process.communicate()
        raise
    return process.returncode, said


def _kill(process: "subprocess.Popen[str]") -> None:
    """Kill the command and its children, which would otherwise keep its output open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
