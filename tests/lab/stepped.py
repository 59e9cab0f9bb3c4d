# SPDX-License-Identifier: Apache-2.0
"""The real agent's polling task, one cycle at a time and without waiting.

``python -m tests.lab.stepped CONFIG`` loads pollsters and discovery as ceilometer-polling does.
For each line that it reads it runs one cycle of its only task, and prints the cycle's samples
and costs as one line of JSON.
"""

import dataclasses
import functools
import gc
import json
import os
import pathlib
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import IO, Any

from ceilometer import service
from ceilometer.polling import manager as polling

from tests.lab.agent import configure
from tests.lab.hypervisor import Hypervisor

ANSWER_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Cycle:
    """Samples and costs of one cycle.

    samples: The sample's name, the instance's UUID and the volume, in the order of sending.
    seconds: Wall time.
    cpu: The agent's CPU time in seconds.
    polling_seconds, polling_cpu: The pollsters' part, without discovery and sending.
    threads, descriptors, memory: The agent's resources after the cycle. Memory is in KiB.
    """

    samples: list[tuple[str, str, float]]
    seconds: float
    cpu: float
    polling_seconds: float
    polling_cpu: float
    threads: int
    descriptors: int
    memory: int

    def uuids(self, meter: str = "memory.usage") -> set[str]:
        """Return the instances that have a sample of that meter."""
        return {uuid for name, uuid, _ in self.samples if name == meter}

    def volumes(self, uuid: str) -> dict[str, list[float]]:
        """Return the volumes of one instance's samples by sample name."""
        found: dict[str, list[float]] = {}
        for name, instance, volume in self.samples:
            if instance == uuid:
                found.setdefault(name, []).append(volume)
        return found


class SteppedAgent:
    """The child process; a context manager that ends it. Options as tests.lab.agent.Agent."""

    def __init__(self, hypervisor: Hypervisor, **options: Any) -> None:
        config, self.log = configure(hypervisor, **options)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=pathlib.Path(__file__).parents[2],
                start_new_session=True,
                text=True,
            )
        self._answer()

    def cycle(self) -> Cycle:
        """Run one cycle."""
        assert self._process.stdin is not None
        print("cycle", file=self._process.stdin, flush=True)
        return Cycle(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        if not ready or not (line := self._process.stdout.readline()):
            raise TimeoutError(f"no cycle: {self.log.read_text(errors='replace')[-2000:]}")
        return dict(json.loads(line))

    def __enter__(self) -> "SteppedAgent":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=ANSWER_SECONDS)


def _serve(config: str) -> None:
    # Ceilometer logs to stdout. Send that to stderr, so that stdout has only the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    conf = service.prepare_service(["stepped", "--config-file", config])
    manager = polling.AgentManager(0, conf, ["compute"])
    manager.polling_manager = polling.PollingManager(conf)
    (task,) = manager.setup_polling_tasks().values()
    sent: list[dict[str, Any]] = []
    send = task._send_notification
    # Samples are also sent if the configuration has an exporter or a broker.
    task._send_notification = lambda samples: (sent.extend(samples), send(samples))
    stopwatch = Stopwatch()
    for pollster in manager.extensions:
        pollster.obj.get_samples = functools.partial(stopwatch.time, pollster.obj.get_samples)
    _write_answer(answers, {})
    for _ in sys.stdin:
        sent.clear()
        stopwatch.seconds = stopwatch.cpu = 0.0
        begin, cpu = time.monotonic(), time.process_time()
        task.poll_and_notify()
        seconds, cpu = time.monotonic() - begin, time.process_time() - cpu
        samples = [(s["counter_name"], s["resource_id"], s["counter_volume"]) for s in sent]
        cycle = {"samples": samples, "seconds": seconds, "cpu": cpu}
        pollsters = {"polling_seconds": stopwatch.seconds, "polling_cpu": stopwatch.cpu}
        _write_answer(answers, cycle | pollsters | _resources())


class Stopwatch:
    """Adds up the pollsters' time. The time of parallel threads counts twice."""

    seconds = cpu = 0.0

    def time(self, get_samples: Callable[..., Iterable[Any]], **arguments: Any) -> list[Any]:
        """Return the pollster's samples as a list, because stock pollsters are generators."""
        begin, cpu = time.monotonic(), time.process_time()
        samples = list(get_samples(**arguments))
        self.seconds += time.monotonic() - begin
        self.cpu += time.process_time() - cpu
        return samples


def _write_answer(answers: IO[str], answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def _resources() -> dict[str, int]:
    gc.collect()
    statm = pathlib.Path("/proc/self/statm").read_text().split()
    return {
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "memory": int(statm[1]) * resource.getpagesize() // 1024,
    }


if __name__ == "__main__":
    _serve(sys.argv[1])
