# SPDX-License-Identifier: Apache-2.0
"""Read pytest's results from its output."""

import collections
import pathlib
import re

#: The option with which pytest prints a line for each test.
VERBOSE = ("--verbose", "--color=no", "--durations=10")
#: Matches the result of one test: "tests/unit/test_x.py::test_y PASSED [  3%]".
VERDICT = re.compile(r"^\S+::.* (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))? +\[ *\d+%\]$")
#: Matches the number of deselected tests: "collected 20 items / 3 deselected / 17 selected".
DESELECTED = re.compile(r"^(?:collecting \.\.\. )?collected .* / (\d+) deselected")
#: Matches why tests were skipped: "SKIPPED [2] tests/unit/test_x.py:12: no guest here".
REASON = re.compile(r"^SKIPPED \[(\d+)\] [^\s:]+(?::\d+)?: (.*)$")
#: Matches the start of pytest's report of failures.
TOLD = re.compile(r"^=+ (FAILURES|ERRORS) =+$", re.MULTILINE)
#: How many lines of other output, or of incomplete output, are shown.
LAST_LINES = 200


class Output:
    """The output file of an environment.

    counts: tests so far by pytest's word in lower case; reasons: skipped tests by reason.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.counts: collections.Counter[str] = collections.Counter()
        self.reasons: collections.Counter[str] = collections.Counter()
        self._read = 0

    def count(self) -> None:
        """Count the results that are new since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._count_line(line)

    def _count_line(self, line: str) -> None:
        if found := VERDICT.search(line):
            self.counts[found[1].lower()] += 1
        elif found := DESELECTED.search(line):
            self.counts["deselected"] += int(found[1])
        elif found := REASON.search(line):
            self.reasons[found[2]] += int(found[1])

    def failures(self) -> str:
        """Return pytest's report of failures, or the last lines if there is none."""
        text = self.path.read_text(errors="replace") if self.path.exists() else ""
        if begin := TOLD.search(text):
            return text[begin.start() :]
        return "\n".join(text.splitlines()[-LAST_LINES:])
