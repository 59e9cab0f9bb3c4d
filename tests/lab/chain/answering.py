# SPDX-License-Identifier: Apache-2.0
"""Run a module of the tests in a process of its own, and ask it questions.

The process imports its libraries once. Watcher alone takes two seconds of CPU to import.
"""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

TREE = pathlib.Path(__file__).parents[3]
ANSWER_SECONDS = 120


@contextlib.contextmanager
def answering(folder: pathlib.Path, module: str, *words: str) -> Iterator[Callable[[Any], Any]]:
    """Run the module with these arguments. Yields a function that asks it a question.

    folder: holds its log and is its HOME. Questions and answers are values that JSON can hold.
    The function raises RuntimeError if the module ends or does not answer.
    """
    log = folder / f"{module}.log"
    with log.open("ab") as errors, subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=TREE,
            env={**os.environ, "HOME": str(folder)},
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(question: Any) -> Any:
            print(json.dumps(question), file=requests, flush=True)
            ready, _, _ = select.select([answers], [], [], ANSWER_SECONDS)
            if not ready or not (line := answers.readline()):
                raise RuntimeError(f"no answer: {log.read_text(errors='replace')[-3000:]}")
            return json.loads(line)

        try:
            yield ask
        finally:
            process.kill()


def answer(reply: Callable[[Any], Any]) -> None:
    """Answer the questions from stdin with ``reply``. Called in the process that was started."""
    # Output of imported libraries must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(reply(json.loads(line))), file=answers, flush=True)
