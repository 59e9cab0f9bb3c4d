# SPDX-License-Identifier: Apache-2.0
"""Download with short time-outs and a bounded number of tries.

Needs the standard library alone: tools/testrun uses it before any environment exists.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

TRIES = 3
#: Seconds between two tries; a proxy or mirror that restarts is back after some.
PAUSE = 3.0
#: apt's own time-outs are two minutes for each connection.
APT_OPTIONS = (
    "-o", "Acquire::Retries=1",
    "-o", "Acquire::http::Timeout=15",
    "-o", "Acquire::https::Timeout=15",
    "-o", "DPkg::Lock::Timeout=120",
)  # fmt: skip
LISTS_SECONDS = 120
LAST_LINES = 5


class DownloadError(subprocess.SubprocessError):
    """No try succeeded. The message is one line: the command and its last words."""


def attempt(
    *command: str | pathlib.Path,
    seconds: float,
    tries: int = TRIES,
    cwd: pathlib.Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """Run a command that downloads until it succeeds; return what it printed.

    apt-get gets short time-outs of its own.
    seconds: the limit of one try, after which its processes are killed; tries: how
    many there are; environment: the whole of it, the caller's if None.
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
    raise DownloadError(f"{tries} times in vain: {' '.join(map(str, command))}: {last}")


def renew_lists(tries: int = TRIES) -> None:
    """Have apt fetch its lists of packages. Raises DownloadError, without rights too."""
    # Without this option apt calls it a success if it uses old lists.
    strict = ("-o", "APT::Update::Error-Mode=any")
    attempt(*as_root(), "apt-get", *strict, "update", seconds=LISTS_SECONDS, tries=tries)


def as_root() -> tuple[str, ...]:
    """The words before a command that needs root; sudo never asks for a password."""
    return () if os.geteuid() == 0 or not shutil.which("sudo") else ("sudo", "-n")


def _run(
    words: list[str],
    seconds: float,
    cwd: pathlib.Path | None,
    environment: dict[str, str] | None,
) -> tuple[int, str]:
    """Exit status and output; a command that takes longer is a status of its own."""
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
    """Kill it and its children, which would otherwise keep its output open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
