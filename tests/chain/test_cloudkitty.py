# SPDX-License-Identifier: Apache-2.0
"""CloudKitty's collector rates the stored samples with the metrics.yml of the documentation."""

import datetime
import pathlib
import re
import textwrap

import pytest
import yaml

from tests.lab.chain.answering import answering
from tests.lab.guest import PROJECT
from tests.lab.waiting import wait_long_for

SECONDS = 180
PAGE = pathlib.Path(__file__).parents[2] / "doc/source/admin/consumers.rst"


def metrics_yml():
    """Return the metrics.yml that the documentation shows."""
    (block,) = re.findall(r"::\n\n((?:    metrics:\n)(?:    .*\n)+)", PAGE.read_text())
    return textwrap.dedent(block)


def test_example_rates_only_host_statistics():
    assert set(yaml.safe_load(metrics_yml())["metrics"]) == {"memory.resident"}


def test_collector_finds_the_guests_resident_memory(boot, chain, tmp_path):
    guest = boot("instance-rated")
    config = tmp_path / "metrics.yml"
    config.write_text(metrics_yml())
    words = (chain.gnocchi.url, str(config))
    with answering(tmp_path, "tests.lab.chain.cloudkitty", *words) as ask:

        def rated():
            # By each look's own hour: another one may begin meanwhile.
            hour = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
            return ask(("memory.resident", PROJECT, hour.isoformat())).get(guest.uuid)

        volume = wait_long_for(rated, SECONDS, "a rated quantity")
    assert volume == pytest.approx(chain.agent.resident(guest.uuid), rel=0.5)
