# SPDX-License-Identifier: Apache-2.0
"""Send a command to the guest of the server SERVER_ID, on one of these libvirtds.

Usage: python -m tests.lab.cloud.load URI [URI ...] COMMAND ARGUMENT
"""

import os
import sys

import libvirt

from tests.lab.cloud.server import send


def main() -> None:
    """Send the command. Raises StopIteration if no libvirtd has the server."""
    *uris, command, argument = sys.argv[1:]
    domains = (domain for uri in uris for domain in libvirt.open(uri).listAllDomains())
    server = os.environ["SERVER_ID"]
    send(next(domain for domain in domains if domain.UUIDString() == server), command, argument)


if __name__ == "__main__":
    main()
