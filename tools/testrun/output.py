# SPDX-License-Identifier: Apache-2.0
"""Read what pytest has written of its tests."""

import collections
import pathlib
import re

#: What makes pytest write a line for each test.
VERBOSE = ("--verbose", "--color=no", "--durations=10")
#: A test's verdict in it: "tests/unit/test_x.py::test_y PASSED [  3%]".
VERDICT = re.compile(r"^\S+::.* (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))? +\[ *\d+%\]$")
#: Where pytest's report of failures starts.
TOLD = re.compile(r"^=+ (FAILURES|ERRORS) =+$", re.MULTILINE)
#: Lines shown of other output, or of output that ends early.
LAST_LINES = 200


class Output:
    """The file that gets the output of an environment.

    counts: tests so far by pytest's word in lower case.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.counts: collections.Counter[str] = collections.Counter()
        self._read = 0

    def count(self) -> None:
        """Count the verdicts that are new since the last time."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if found := VERDICT.search(line):
                self.counts[found[1].lower()] += 1

    def failures(self) -> str:
        """Return what was written of failures, or else the last lines."""
        text = self.path.read_text(errors="replace") if self.path.exists() else ""
        if begin := TOLD.search(text):
            return text[begin.start() :]
        return "\n".join(text.splitlines()[-LAST_LINES:])
