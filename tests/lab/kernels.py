# SPDX-License-Identifier: Apache-2.0
"""Guest images with the kernels of several Debian releases.

``python -m tests.lab.kernels`` downloads what they need. Tests use the images that are there.
"""

import time

from tests.lab import image
from tests.lab.apt import Apt
from tests.lab.download import DownloadError

SUITES = ("bullseye", "bookworm", "trixie", "sid")
#: Package lists older than this many seconds are downloaded again.
LISTS_SECONDS = 7 * 24 * 3600


def main() -> None:
    """Build the image of each suite. Raises as prepare()."""
    for suite in SUITES:
        start = time.monotonic()
        prepare(suite)
        print(f"guest image of {suite}: {time.monotonic() - start:.0f} s", flush=True)


def prepare(suite: str) -> None:
    """Build the image of one suite. Raises as Apt.update() and image.build().

    Old package lists are used if new ones cannot be downloaded.
    """
    apt = Apt(suite)
    if apt.lists_age() > LISTS_SECONDS:
        try:
            apt.update()
        except DownloadError:
            if apt.lists_age() == float("inf"):
                raise
    image.build(suite=suite)


def missing() -> list[str]:
    """Return the suites without package lists. Their images cannot be built."""
    return [suite for suite in SUITES if Apt(suite).lists_age() == float("inf")]


if __name__ == "__main__":
    main()
