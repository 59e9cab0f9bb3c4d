# SPDX-License-Identifier: Apache-2.0
"""README.rst is short, and its links and pictures exist."""

import pathlib
import re

import pytest
import yaml

from ceilometer_memballoon.meters import METERS

TREE = pathlib.Path(__file__).parents[2]
README = (TREE / "README.rst").read_text()
LINKS = re.findall(r"<([\w./-]+\.rst)>`_|^\.\. image:: (\S+)$", README, re.MULTILINE)


def test_it_has_at_most_120_lines():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("path", [link or image for link, image in LINKS])
def test_every_link_into_the_tree_resolves(path):
    assert (TREE / path).exists()


def test_its_source_of_polling_yaml_names_our_pollsters_alone():
    (block,) = re.findall(r"^       - name: guest_memory\n(?:^ {7,}.*\n)+", README, re.MULTILINE)
    (source,) = yaml.safe_load(block)
    assert set(source["meters"]) <= set(METERS)
