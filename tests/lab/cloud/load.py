# SPDX-License-Identifier: Apache-2.0
"""Send a command to the guest of the server SERVER_ID, on one of these libvirtds.

Usage: python -m tests.lab.cloud.load URI [URI ...] COMMAND ARGUMENT
"""

import os
import sys

import libvirt

from tests.lab.cloud.server import send


def main() -> None:
    """Send the command. Raises LookupError if no libvirtd has the server."""
    *uris, command, argument = sys.argv[1:]
    for uri in uris:
        try:
            domain = libvirt.open(uri).lookupByUUIDString(os.environ["SERVER_ID"])
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        else:
            send(domain, command, argument)
            return
    raise LookupError(f"no libvirtd has the server {os.environ['SERVER_ID']}")


if __name__ == "__main__":
    main()
