# SPDX-License-Identifier: Apache-2.0
"""A private, unprivileged libvirtd with its own folder.

Every process of a lab has the lab's folder on its command line or in its environment, or it is in
the session of one that has. The owner of a lab holds a lock in that folder. If the lock is free, an
interrupted run left the lab, and ``sweep`` removes it.
"""

import contextlib
import fcntl
import functools
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import types
import uuid

import libvirt

from tests.lab import image as lab_image
from tests.lab.waiting import wait_for

# Without a handler libvirt prints each error to stderr as well as raising it.
libvirt.registerErrorHandler(lambda context, error: None, None)

PREFIX = "memballoon-lab-"
#: Programs that a lab runs, and the Debian package of each.
PROGRAMS = {
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "gcc": "gcc",
    "make": "make",
}
QEMU_DRIVER = "libvirt/connection-driver/libvirt_driver_qemu.so"
START_SECONDS = 30


def missing_packages() -> list[str]:
    """Return the Debian packages that a lab needs and this machine lacks."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {pkg for prog, pkg in PROGRAMS.items() if not shutil.which(prog, path=path)}
    if not any(pathlib.Path("/usr/lib").glob(f"*/{QEMU_DRIVER}")):
        missing.add("libvirt-daemon-driver-qemu")
    return sorted(missing)


class Hypervisor:
    """A running private libvirtd; a context manager that ends it and all that it runs.

    folder: the folder with all files of this lab. uri: libvirtd's address for clients.
    """

    def __init__(self) -> None:
        sweep()
        # Lock the folder before it gets the name that another process's sweep looks for.
        unnamed = pathlib.Path(tempfile.mkdtemp(prefix="." + PREFIX))
        self._lock = _lock(unnamed)
        self.folder = unnamed.rename(unnamed.with_name(unnamed.name.removeprefix(".")))
        self._configure()
        self._daemon: subprocess.Popen[bytes] | None = None
        self.start_daemon()

    @property
    def socket(self) -> pathlib.Path:
        """The libvirtd's socket."""
        return self.folder / "run/libvirt/libvirt-sock"

    @property
    def uri(self) -> str:
        """The address for libvirt.open and Ceilometer's option libvirt_uri."""
        return f"qemu+unix:///session?socket={self.socket}"

    @property
    def daemon_pid(self) -> int:
        """The process id of the libvirtd."""
        assert self._daemon is not None
        return self._daemon.pid

    @property
    def connection(self) -> libvirt.virConnect:
        """A read-write connection that the lab itself uses.

        Raises RuntimeError if libvirtd has ended by itself.
        """
        if self._daemon is not None and (status := self._daemon.poll()) is not None:
            raise RuntimeError(f"libvirtd is gone, status {status}: {self._log_tail()}")
        if self._connection is None or self._connection.isAlive() != 1:
            self._connection = libvirt.open(self.uri)
        return self._connection

    @functools.cache  # noqa: B019  # a Hypervisor lives as long as the session
    def image(self, *, forge: bool = False, suite: str | None = None) -> lab_image.Image:
        """Return the guests' image in a folder that QEMU can read. Arguments as image.build()."""
        image = lab_image.build(forge=forge, suite=suite)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="image-", dir=self.folder))
        folder.chmod(0o755)
        files = [shutil.copy(file, folder) for file in (image.kernel, image.initramfs)]
        return lab_image.Image(*map(pathlib.Path, files))

    def start_daemon(self) -> None:
        """Start libvirtd and wait until it answers. Raises TimeoutError if it does not."""
        # A connection to an earlier libvirtd seems alive until it is used.
        self._connection: libvirt.virConnect | None = None
        self._daemon = subprocess.Popen(
            self._command(),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "libvirtd.err").open("ab"),
            cwd=self.folder,
            # Ctrl-C reaches the tests alone, which still need it to take down their guests.
            start_new_session=True,
            **self._user(),
        )
        wait_for(self._answers, START_SECONDS, "libvirtd answers", hint=self._log_tail)

    def stop_daemon(self, signum: int = signal.SIGTERM) -> None:
        """End libvirtd. Guests keep running, as they do on a compute node."""
        if self._daemon is not None:
            self._daemon.send_signal(signum)
            self._daemon.wait(timeout=START_SECONDS)

    def signal_daemon(self, signum: int) -> None:
        """Send libvirtd a signal that does not end it: SIGSTOP, SIGCONT."""
        os.kill(self.daemon_pid, signum)

    def restart_daemon(self) -> None:
        """Restart libvirtd. It finds its guests again."""
        self.stop_daemon()
        self.start_daemon()

    def close(self) -> None:
        """End every process of this lab and remove its folder."""
        _take_down(self.folder)
        if self._daemon is not None:
            self._daemon.wait(timeout=START_SECONDS)
        self._lock.close()

    def __enter__(self) -> "Hypervisor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        return ["libvirtd", "--config", str(self.folder / "libvirtd.conf")]

    def _user(self) -> dict[str, object]:
        """Return Popen arguments that drop root, if this process is root."""
        if os.geteuid() != 0:
            return {}
        user = pwd.getpwnam("nobody")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def _environment(self) -> dict[str, str]:
        home = str(self.folder)
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home,
            "XDG_RUNTIME_DIR": f"{home}/run",
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_CACHE_HOME": f"{home}/cache",
        }

    def _configure(self) -> None:
        for name in ("run", "config/libvirt", "cache"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "libvirtd.conf").write_text(
            f'host_uuid = "{uuid.uuid4()}"\nlog_outputs = "3:file:{self.folder}/libvirtd.log"\n'
        )
        # No virtlogd, so that there is one process less to end.
        (self.folder / "config/libvirt/qemu.conf").write_text('stdio_handler = "file"\n')
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _answers(self) -> bool:
        if self._daemon is not None and self._daemon.poll() is not None:
            raise RuntimeError(f"libvirtd ended at once: {self._log_tail()}")
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.openReadOnly(self.uri).close()
            return True
        return False

    def _log_tail(self) -> str:
        files = (self.folder / "libvirtd.err", self.folder / "libvirtd.log")
        return "".join(f.read_text(errors="replace")[-2000:] for f in files if f.exists())


def sweep() -> None:
    """Remove every lab on this machine that no running process owns."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(BlockingIOError, PermissionError, FileNotFoundError):
            _lock(folder).close()
            _take_down(folder)


def _lock(folder: pathlib.Path) -> "contextlib.closing[object]":
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file  # type: ignore[return-value]


def _take_down(folder: pathlib.Path) -> None:
    """Kill all processes of the folder, libvirtd first, and remove it."""
    deadline = time.monotonic() + START_SECONDS
    leaders: set[int] = set()
    while True:
        marked = processes_of(folder)
        leaders |= set(marked)
        # A service's worker that changes its title loses the marks. It keeps the session.
        pids = [*marked, *(pid for pid in _all_pids() if _session(pid) in leaders)]
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes of {folder} do not end: {pids}")
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder: pathlib.Path) -> list[int]:
    """Return the processes with the folder on their command line or in their environment."""
    mark = str(folder).encode()
    return [pid for pid in _all_pids() if pid != os.getpid() and mark in _marks(pid)]


def _all_pids() -> list[int]:
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")]


def _marks(pid: int) -> bytes:
    """Return command line and environment; empty for a process that is gone or not readable."""
    found = b""
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            found += pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    return found


def _session(pid: int) -> int | None:
    """Return the session's leader. None for a process that has ended, and for our own session."""
    with contextlib.suppress(OSError):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        state, _, _, session = stat.rpartition(")")[2].split()[:4]
        if state != "Z" and int(session) != os.getsid(0):
            return int(session)
    return None
