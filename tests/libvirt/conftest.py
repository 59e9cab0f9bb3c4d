# SPDX-License-Identifier: Apache-2.0
"""libvirt's test driver: a hypervisor in this process, with one domain called 'test'."""

import libvirt
import pytest
from ceilometer import service

from ceilometer_memballoon import opts

URI = "test:///default"


@pytest.fixture
def hypervisor_connection():
    """A connection that keeps the driver's state between the plugin's own connections."""
    connection = libvirt.open(URI)
    yield connection
    connection.close()


@pytest.fixture
def domain(hypervisor_connection):
    """The driver's one running domain."""
    return hypervisor_connection.lookupByName("test")


@pytest.fixture
def conf():
    """Ceilometer's configuration, as its agent makes it, for the test driver."""
    conf = service.prepare_service(["test"], config_files=[])
    opts.register(conf)
    conf.set_override("libvirt_uri", URI)
    return conf
