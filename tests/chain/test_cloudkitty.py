# SPDX-License-Identifier: Apache-2.0
"""CloudKitty's own collector rates what the chain keeps, by the documentation's metrics.yml."""

import datetime
import pathlib
import re
import textwrap

import pytest
import yaml
from cloudkitty.collector.gnocchi import GnocchiCollector
from oslo_config import cfg

from tests.lab.guest import PROJECT
from tests.lab.waiting import wait_long_for

SECONDS = 120
PAGE = pathlib.Path(__file__).parents[2] / "doc/source/admin/consumers.rst"
HOUR = datetime.timedelta(hours=1)


def metrics_yml():
    """The example of the page."""
    (block,) = re.findall(r"::\n\n((?:    metrics:\n)(?:    .*\n)+)", PAGE.read_text())
    return yaml.safe_load(textwrap.dedent(block))


@pytest.fixture(scope="module")
def collector(chain):
    cfg.CONF.set_override("gnocchi_auth_type", "basic", "collector_gnocchi")
    cfg.CONF.set_override("gnocchi_user", "admin", "collector_gnocchi")
    cfg.CONF.set_override("gnocchi_endpoint", chain.gnocchi.url, "collector_gnocchi")
    return GnocchiCollector(period=3600, conf=metrics_yml())


def test_example_rates_what_the_host_knows_and_not_what_the_guest_says():
    assert set(metrics_yml()["metrics"]) == {"memory.resident"}


def test_collector_finds_the_guests_resident_memory(boot, chain, collector):
    guest = boot("instance-rated")
    begin = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)

    def rated():
        points = collector.fetch_all("memory.resident", begin, begin + HOUR, project_id=PROJECT)
        return [float(one.qty) for one in points if one.groupby["id"] == guest.uuid]

    (volume,) = wait_long_for(rated, SECONDS, "a rated quantity")
    assert volume == pytest.approx(chain.agent.resident(guest.uuid), rel=0.5)
