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


def test_readme_has_at_most_120_lines():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("path", [link or image for link, image in LINKS])
def test_every_link_into_the_tree_resolves(path):
    assert (TREE / path).exists()


def test_polling_source_in_the_readme_names_only_our_pollsters():
    (block,) = re.findall(r"^       - name: guest_memory\n(?:^ {7,}.*\n)+", README, re.MULTILINE)
    (source,) = yaml.safe_load(block)
    assert set(source["meters"]) <= set(METERS)
