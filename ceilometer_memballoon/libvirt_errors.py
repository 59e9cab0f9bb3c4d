# SPDX-License-Identifier: Apache-2.0
"""Translate libvirt's errors into the plugin's errors."""

from ceilometer_memballoon.binding import libvirt
from ceilometer_memballoon.errors import (
    DomainError,
    MemballoonError,
    UnreachableError,
    WriteRefusedError,
)

REFUSED_CODES = (
    libvirt.VIR_ERR_OPERATION_DENIED,
    libvirt.VIR_ERR_ACCESS_DENIED,
    libvirt.VIR_ERR_AUTH_FAILED,
    libvirt.VIR_ERR_AUTH_CANCELLED,
    libvirt.VIR_ERR_AUTH_UNAVAILABLE,
)
#: The index in libvirtError.err of the error number of a failed system call (int1).
ERRNO_INDEX = 7
EACCES = 13


def connecting_failed(error: libvirt.libvirtError) -> MemballoonError:
    """Return the plugin's error for a connection that could not be opened."""
    code, details = error.get_error_code(), error.err or ()
    forbidden = code == libvirt.VIR_ERR_SYSTEM_ERROR and details[ERRNO_INDEX] == EACCES
    kind = WriteRefusedError if code in REFUSED_CODES or forbidden else UnreachableError
    return kind(_one_line(error))


def question_failed(error: Exception, *, is_alive: bool) -> MemballoonError:
    """Return the plugin's error for a question that failed.

    error: The error of libvirt, of its binding or of the question.
    is_alive: Whether the connection still has its other end.
    """
    if not is_alive:
        return UnreachableError(_one_line(error))
    if isinstance(error, libvirt.libvirtError) and error.get_error_code() in REFUSED_CODES:
        return WriteRefusedError(_one_line(error))
    return DomainError(_one_line(error))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
