# SPDX-License-Identifier: Apache-2.0
"""A network with only the loopback device, for tests that must not use another network.

``python -m tools.testrun.loopback COMMAND...`` brings loopback up and runs the command.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

#: From linux/sockios.h and linux/if.h.
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
SECONDS = 30
UNSHARE = ("unshare", "--net")
#: The words before a command that run it in such a network.
WORDS = (*UNSHARE, sys.executable, "-m", "tools.testrun.loopback")


def available() -> bool:
    """Return whether this process can create such a network, which requires root."""
    if os.geteuid() != 0 or not shutil.which(UNSHARE[0]):
        return False
    done = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True, timeout=SECONDS)
    return done.returncode == 0


def main() -> None:
    """Bring loopback up and replace this process by the command."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
