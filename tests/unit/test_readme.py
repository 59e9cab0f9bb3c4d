# SPDX-License-Identifier: Apache-2.0
"""README.rst is short, and its links and pictures exist."""

import pathlib
import re

import pytest
import yaml

from ceilometer_memballoon.meters import METERS

TREE = pathlib.Path(__file__).parents[2]
README = (TREE / "README.rst").read_text()
INSTALLATION = (TREE / "doc/source/install/index.rst").read_text()
#: The source of polling.yaml that a page prints.
SOURCE = re.compile(r"^       - name: guest_memory\n(?:^ {7,}.*\n)+", re.MULTILINE)
LINKS = re.findall(r"<([\w./-]+\.rst)>`_|^\.\. image:: (\S+)$", README, re.MULTILINE)


def test_readme_has_at_most_120_lines():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("path", [link or image for link, image in LINKS])
def test_every_link_into_the_tree_resolves(path):
    assert (TREE / path).exists()


def test_polling_source_in_the_readme_names_only_our_pollsters():
    (block,) = SOURCE.findall(README)
    (source,) = yaml.safe_load(block)
    assert set(source["meters"]) <= set(METERS)


def test_polling_source_in_the_installation_page_is_the_shipped_one():
    (block,) = SOURCE.findall(INSTALLATION)
    shipped = yaml.safe_load((TREE / "etc/ceilometer/polling.yaml").read_text())["sources"]
    assert yaml.safe_load(block) == [one for one in shipped if one["name"] == "guest_memory"]
