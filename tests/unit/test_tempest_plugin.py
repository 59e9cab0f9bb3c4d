# SPDX-License-Identifier: Apache-2.0
"""Each of the two packages can be installed without what the other one needs."""

import ast
import pathlib
import sys

import pytest

TREE = pathlib.Path(__file__).parents[2]


def imported(package):
    """Return the packages outside the standard library that a package imports."""
    found = set()
    for file in (TREE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names


def test_scenarios_need_tempest_alone():
    # Tempest requires oslo.config.
    assert imported("memballoon_tempest_plugin") == {
        "memballoon_tempest_plugin",
        "oslo_config",
        "tempest",
    }


@pytest.mark.parametrize("name", ["tempest", "memballoon_tempest_plugin"])
def test_agent_does_not_import(name):
    assert name not in imported("ceilometer_memballoon")
