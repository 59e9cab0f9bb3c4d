# SPDX-License-Identifier: Apache-2.0
"""Print the outcomes of Tempest's tests in JSON. The input is a stream of subunit.

Runs in the environment ``tempest`` and imports nothing of this tree.
"""

import json
import re
import sys

import subunit
import testtools

#: The name of a skipped or failed class, and a test's name with its attributes.
NAME = re.compile(r"(?:setUpClass \((?P<class>[^)]*)\)|(?P<test>[^\[]*)(?:\[.*)?)$")


def main() -> None:
    """Print status and text by the test's name."""
    outcomes = {}

    def add(test: dict) -> None:
        parts = [part for name, part in test["details"].items() if "logging" not in name]
        match = NAME.match(test["id"])
        outcomes[match["class"] or match["test"]] = {
            "status": test["status"],
            "text": "\n".join(part.as_text() for part in parts),
        }

    result = testtools.StreamToDict(add)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(sys.stdin.buffer, "other").run(result)
    result.stopTestRun()
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
