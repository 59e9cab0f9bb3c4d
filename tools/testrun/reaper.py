# SPDX-License-Identifier: Apache-2.0
"""Run a command, and reap the processes below it that lose their parent.

``python -m tools.testrun.reaper COMMAND...`` ends with the command and has its exit status.

libvirtd waits at the end of a guest until its QEMU process, which has no parent, is reaped. On
some machines, such as containers, process 1 reaps only every few seconds.
"""

import ctypes
import os
import signal
import sys

#: The beginning of a command line that runs a command below the reaper.
WORDS = (sys.executable, "-m", "tools.testrun.reaper")
#: From linux/prctl.h.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the command. Return its exit status, or 128 and the signal that ended it."""
    # The terminal and the runner send SIGINT to the command as well. SIG_IGN would be inherited.
    signal.signal(signal.SIGINT, lambda *_: None)
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    command = os.fork()
    if command != 0:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(command, signal.SIGINT))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if command == 0:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        pid, status = os.wait()
        if pid == command:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
