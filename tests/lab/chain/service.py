# SPDX-License-Identifier: Apache-2.0
"""One process of the services behind the agent, and its folder."""

import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Self

from tests.lab.waiting import wait_for

#: Programs of the system that the services need, and a file of each Debian package.
PACKAGES = {
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
}
START_SECONDS = 120
STOP_SECONDS = 30
PROGRAM_SECONDS = 240


def missing_packages() -> list[str]:
    """Return the Debian packages that the services need and this machine lacks."""
    return [package for package, file in PACKAGES.items() if not glob.glob(file)]


class Service:
    """A running service; a context manager that ends it.

    folder: A folder below the lab's, so that the service ends with the lab.
    name: The name of its log.
    command: The command to run.
    environment: Further variables.
    ready: Returns whether the service is up. The constructor waits for that up to ``seconds``.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        name: str,
        command: list[str | pathlib.Path],
        *,
        environment: dict[str, str] | None = None,
        ready: Callable[[], bool] = lambda: True,
        seconds: float = START_SECONDS,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._command = [str(word) for word in command]
        self._environment = environment or {}
        self._ready = ready
        self._seconds = seconds
        self.start()

    def start(self) -> None:
        """Start it and wait until it is up. Raises TimeoutError."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=_environment(self._folder, self._environment),
                start_new_session=True,
                **_user_of(self._folder),
            )
        wait_for(self._is_up, self._seconds, f"{self.name} is up", self.log_tail)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """End the service and all processes that it started."""
        if self._process.poll() is None:
            self._process.send_signal(signum)
        try:
            self._process.wait(timeout=STOP_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=STOP_SECONDS)

    def restart(self, signum: int = signal.SIGTERM) -> None:
        """End the service and start it again with its data."""
        self.stop(signum)
        self.start()

    def check(self) -> None:
        """Raise RuntimeError if the service has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended: {self.log_tail()}")

    def log_tail(self) -> str:
        """Return the end of the service's log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at once: {self.log_tail()}")
        return self._ready()


class Services:
    """Several services that belong together; a context manager that ends them in reverse order."""

    def __init__(self, *services: Service) -> None:
        self._services = services

    def check(self) -> None:
        """Raise RuntimeError if one of the services has ended."""
        for service in self._services:
            service.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for service in reversed(self._services):
            service.stop()


def folder_in(lab: pathlib.Path, name: str, *, nobody: bool = False) -> pathlib.Path:
    """Create a folder in the lab's folder and return it.

    The owner is nobody if that is wanted, because PostgreSQL and RabbitMQ do not run as root.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=lab))
    if nobody and os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def run(
    folder: pathlib.Path, *command: str | pathlib.Path, environment: dict[str, str] | None = None
) -> str:
    """Run a program to its end and return its output. Raises RuntimeError if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False, cwd=folder, env=_environment(folder, environment or {}), text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_SECONDS,
        **_user_of(folder),
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def program(name: str) -> pathlib.Path:
    """Return the path of a program in this environment, or of the system's if there is none."""
    own = pathlib.Path(sys.executable).with_name(name)
    found = own if own.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"no {name} here")
    return pathlib.Path(found)


def listens(port: int) -> bool:
    """Return whether a process accepts connections at that port."""
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _environment(folder: pathlib.Path, further: dict[str, str]) -> dict[str, str]:
    # The lab's sweep finds a service of an interrupted run by the folder in its environment.
    own = pathlib.Path(sys.executable).parent
    return {
        "PATH": f"{own}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        **further,
    }


def _user_of(folder: pathlib.Path) -> dict[str, object]:
    """Return Popen arguments to run as the folder's owner."""
    owner = folder.stat()
    if owner.st_uid == os.geteuid():
        return {}
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
