# SPDX-License-Identifier: Apache-2.0
"""libvirt's test driver: a hypervisor in this process, with one domain called 'test'."""

import logging
from types import SimpleNamespace

import libvirt
import pytest
import yaml
from ceilometer import service

from ceilometer_memballoon import opts
from ceilometer_memballoon.cli.main import main

URI = "test:///default"
#: A polling.yaml that does not exist. The plugin then loads all its pollsters.
NO_POLLING_FILE = "/nonexistent/polling.yaml"


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
def nova_domain(domain):
    """The driver's domain with Nova's metadata in its XML.

    The metadata are removed at the end, because the domain outlives the test if the test's
    collector is still connected.
    """

    def set_metadata(text):
        uri = "http://openstack.org/xmlns/libvirt/nova/1.1"
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, "nova", uri, 0)

    set_metadata("<instance/>")
    yield domain
    set_metadata(None)


@pytest.fixture
def conf():
    """Ceilometer's configuration for the test driver, as its agent makes it."""
    conf = service.prepare_service(["test"], config_files=[])
    opts.register(conf)
    conf.set_override("libvirt_uri", URI)
    # The machine can have a polling.yaml of its own in /etc/ceilometer.
    conf.set_override("cfg_file", NO_POLLING_FILE, group="polling")
    return conf


@pytest.fixture
def configure(tmp_path):
    """Write a ceilometer.conf with further lines for that libvirt."""

    def write(uri="test:///default", lines=""):
        path = tmp_path / "ceilometer.conf"
        path.write_text(f"[DEFAULT]\nlibvirt_uri = {uri}\n{lines}")
        return path

    return write


@pytest.fixture
def run(capfd):
    """Run the command in this process. Return its status, output and errors."""

    def run_it(config, *words):
        capfd.readouterr()
        options = [] if config is None else ["--config-file", str(config)]
        status = main([*options, *words])
        stdout, stderr = capfd.readouterr()
        return SimpleNamespace(returncode=status, stdout=stdout, stderr=stderr)

    root, own = logging.getLogger(), logging.getLogger("ceilometer_memballoon")
    handlers = list(root.handlers)
    yield run_it
    root.handlers[:] = handlers
    own.setLevel(logging.NOTSET)


@pytest.fixture
def installed(configure, tmp_path):
    """Write a polling.yaml with these meters and the node's configuration."""

    def write(*meters, interval=60, lines="", **options):
        polling = tmp_path / "polling.yaml"
        source = {"name": "all", "interval": interval, "meters": list(meters)}
        polling.write_text(yaml.safe_dump({"sources": [source]}))
        pipeline = tmp_path / "pipeline.yaml"
        pipeline.write_text(yaml.safe_dump({"sinks": [{"publishers": ["prometheus://here"]}]}))
        return configure(
            lines=f"pipeline_cfg_file = {pipeline}\n[polling]\ncfg_file = {polling}\n{lines}",
            **options,
        )

    return write
