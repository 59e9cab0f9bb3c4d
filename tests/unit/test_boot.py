# SPDX-License-Identifier: Apache-2.0
"""Questions about one boot of a domain, with stand-ins for libvirt."""

import libvirt
import pytest

from ceilometer_memballoon.errors import DomainError, DomainGoneError
from tests.unit.fake_libvirt import RECORD, TIMEOUT, FakeConnection, FakeDomain, host, libvirt_error


@pytest.mark.parametrize(
    "code", [libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_INVALID]
)
def test_domain_that_runs_on_is_not_gone_whatever_the_error(opens, code):
    opens(FakeConnection(FakeDomain(error=libvirt_error(code))))
    with pytest.raises(DomainError), host().writer(TIMEOUT) as writer:
        writer.set_period(RECORD, 10, TIMEOUT)


def test_domain_that_ends_while_it_is_asked_is_gone_whatever_the_error(opens):
    error = libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)
    opens(FakeConnection(FakeDomain(ids=(1, -1), error=error)))
    with pytest.raises(DomainGoneError):
        host().live_xml(RECORD, TIMEOUT)


def test_new_boot_of_a_domain_is_not_the_one_that_was_read(opens):
    opens(FakeConnection(FakeDomain(ids=(2,))))
    with pytest.raises(DomainGoneError):
        host().has_job(RECORD, TIMEOUT)


def test_domain_that_libvirt_does_not_know_is_gone(opens):
    opens(FakeConnection())
    with pytest.raises(DomainGoneError):
        host().live_xml(RECORD, TIMEOUT)


def test_domain_whose_lookup_fails_is_not_gone(opens):
    opens(FakeConnection(lookup=libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR)))
    with pytest.raises(DomainError):
        host().live_xml(RECORD, TIMEOUT)
