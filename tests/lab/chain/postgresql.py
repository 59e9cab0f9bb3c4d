# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL."""

import pathlib
import signal

from tests.lab.agent import free_port
from tests.lab.chain.service import Service, folder_in, listens, run

USER = "chain"


class PostgreSQL(Service):
    """A running server that trusts every user of this machine.

    connections: how many clients it serves at the same time.
    """

    def __init__(self, lab: pathlib.Path, *, connections: int = 100) -> None:
        (binaries,) = list(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
        folder = folder_in(lab, "postgresql", nobody=True)
        self._psql = binaries / "psql"
        self.port = free_port()
        data = folder / "data"
        run(folder, binaries / "initdb", "--pgdata", data, "--username", USER,
            "--auth", "trust", "--encoding", "UTF8", "--no-sync")  # fmt: skip
        super().__init__(
            folder,
            "postgresql",
            [binaries / "postgres", "-D", data, "-p", str(self.port), "-k", folder,
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
             # Below the lab's folder, because a killed server leaves its files in /dev/shm.
             "-c", "dynamic_shared_memory_type=mmap",
             "-c", f"max_connections={connections}"],
            ready=lambda: listens(self.port),
        )  # fmt: skip

    def database(self, name: str) -> str:
        """Create a database and return its address."""
        self._run(f"CREATE DATABASE {name}")
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def stop(self, signum: int = signal.SIGINT) -> None:
        """End it and its connections. At SIGTERM it would wait until its clients disconnect."""
        super().stop(signum)

    def _run(self, statement: str) -> str:
        return run(
            self._folder, self._psql, "--host", "127.0.0.1", "--port", str(self.port),
            "--username", USER, "--no-psqlrc", "--command", statement, "postgres",
        )  # fmt: skip
