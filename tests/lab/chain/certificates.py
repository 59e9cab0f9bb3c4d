# SPDX-License-Identifier: Apache-2.0
"""Certificates for a lab's exporter, signed by the lab's own authority."""

import dataclasses
import pathlib

import trustme

from tests.lab.chain.service import folder_in


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: the authority's certificate, the exporter's certificate and its key."""

    authority: pathlib.Path
    certificate: pathlib.Path
    key: pathlib.Path


def for_loopback(lab: pathlib.Path) -> Certificates:
    """Create an authority and its certificate for 127.0.0.1 in a folder of the lab."""
    folder = folder_in(lab, "certificates")
    authority = trustme.CA()
    exporter = authority.issue_cert("127.0.0.1")
    made = Certificates(folder / "ca.crt", folder / "exporter.crt", folder / "exporter.key")
    authority.cert_pem.write_to_path(made.authority)
    for blob in exporter.cert_chain_pems:
        blob.write_to_path(made.certificate, append=True)
    exporter.private_key_pem.write_to_path(made.key)
    return made
