# SPDX-License-Identifier: Apache-2.0
"""The check of the agent's Prometheus exporter: who can read it, and whether TLS works."""

import ipaddress
import ssl
from typing import Any

from oslo_upgradecheck.upgradecheck import Code, Result

from ceilometer_memballoon.cli.config_files import one_line, username
from ceilometer_memballoon.cli.installation import Installation

SHOWS = (
    "The exporter shows the names of all tenants' instances to everyone who can reach it. "
    "Set [polling] prometheus_listen_addresses to an address of the management network"
)


def exporter(installation: Installation) -> Result:
    """Check that the exporter starts, and that only the monitoring can read it."""
    polling = installation.conf.polling
    if not polling.enable_prometheus_exporter:
        return Result(Code.SUCCESS, "[polling] enable_prometheus_exporter is off.")
    # Ceilometer 24 has no TLS.
    has_tls = getattr(polling, "prometheus_tls_enable", False)
    if has_tls and (problem := _tls_problem(polling)):
        return Result(Code.FAILURE, problem)
    addresses = list(polling.prometheus_listen_addresses)
    hosts = [address.rpartition(":")[0].strip("[]") for address in addresses]
    listed = ", ".join(addresses)
    if any(map(_is_any, hosts)):
        return Result(Code.WARNING, f"It listens on {listed}, which means every address. {SHOWS}.")
    if not has_tls and not all(map(_is_loopback, hosts)):
        return Result(
            Code.WARNING,
            f"It listens on {listed} without TLS. Anyone on the network path can read the names "
            "of all tenants' instances. Set [polling] prometheus_tls_enable (Ceilometer 25 and "
            "later).",
        )
    return Result(Code.SUCCESS, f"It listens on {listed}, {'with' if has_tls else 'without'} TLS.")


def _tls_problem(polling: Any) -> str | None:
    """Return why an agent of this user could not start its exporter; None if it could."""
    certificate, key = polling.prometheus_tls_certfile, polling.prometheus_tls_keyfile
    if not certificate or not key:
        return (
            "[polling] prometheus_tls_enable is on, but prometheus_tls_certfile or "
            "prometheus_tls_keyfile is not set. The agent does not start."
        )
    try:
        # Without a password OpenSSL would ask for one at the terminal if the key is encrypted.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate, key, password=""
        )
    except OSError as error:
        return (
            f"User {username()} cannot use {certificate} with {key}: {one_line(error)}. An agent "
            "of this user does not start."
        )
    return None


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
