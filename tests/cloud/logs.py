# SPDX-License-Identifier: Apache-2.0
"""The logs of the cloud's services, for a person who looks for a failure's cause."""

import pathlib
import re
import shutil

#: Where the logs of the last failed run are kept.
KEPT = pathlib.Path(__file__).parents[2] / "build/cloud-logs"
ERROR = re.compile(r" (?:ERROR|CRITICAL) |Traceback|: error :")
LAST = 5
WIDTH = 300


def errors_in(folder):
    """Return the last lines with errors of each service's log."""
    found = []
    for log in _logs(folder):
        lines = log.read_text(errors="replace").splitlines()
        if errors := [f"  {line[:WIDTH]}" for line in lines if ERROR.search(line)]:
            found += [str(log.relative_to(folder)), *errors[-LAST:]]
    return "\n".join(found) or "none"


def keep(folder):
    """Copy all logs out of the cloud's folder, which is removed. Return the new folder."""
    shutil.rmtree(KEPT, ignore_errors=True)
    for log in _logs(folder):
        copy = KEPT / log.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, copy)
    return KEPT


def _logs(folder):
    """Yield the services' logs, the agents', libvirt's and the consoles of servers."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix in (".log", ".err") or path.name == "log"):
            yield path
