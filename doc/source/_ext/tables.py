# SPDX-License-Identifier: Apache-2.0
"""Directives that show what is in the code.

These are ``meters``, ``reasons``, ``sample-config``, ``tempest-options`` and
``tempest-exceptions``.
"""

import io
import pathlib

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from oslo_config import cfg, generator
from sphinx.application import Sphinx

from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.reasons import REMEDIES, STATES
from memballoon_tempest_plugin.options import MEMBALLOON

#: The list that the cloud's tests of Tempest compare with.
EXCEPTIONS = pathlib.Path(__file__).parents[3] / "tests/cloud/tempest_exceptions.yaml"


class Table(Directive):
    """A list-table of rows(), of which the first one is the head."""

    def run(self) -> list[nodes.Node]:
        """Return the table's nodes."""
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in self.rows():
            lines += [("     - " if place else "   * - ") + cell for place, cell in enumerate(row)]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=__name__), self.content_offset, container)
        return container.children

    def rows(self) -> list[tuple[str, ...]]:
        """Return the cells of each row, as reStructuredText."""
        raise NotImplementedError


class Meters(Table):
    """All meters."""

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row for each meter."""
        head = ("pollster", "sample", "type", "unit", "volume", "has a sample")
        return [head] + [
            (f"``{m.pollster}``", m.name, m.type, m.unit, m.source, m.rule.value)
            for m in METERS.values()
        ]


class Reasons(Table):
    """Every reason with its remedy."""

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row for each reason, and one for ok."""
        head = ("reason", "number", "meaning, and what to do")
        return [head, ("ok", str(STATES[None]), "The guest has all its meters.")] + [
            (reason.value, str(STATES[reason]), remedy) for reason, remedy in REMEDIES.items()
        ]


class TempestOptions(Table):
    """The options of the tests for Tempest."""

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row for each option."""
        return [("option", "default", "meaning")] + [
            (f"``{opt.name}``", "" if opt.default == "" else f"``{opt.default}``", opt.help)
            for opt in MEMBALLOON
        ]


class TempestExceptions(Table):
    """The tests of telemetry-tempest-plugin that do not pass in the cloud of tests/cloud."""

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row for each test or class of tests."""
        parts = yaml.safe_load(EXCEPTIONS.read_text())
        return [("test", "result", "cause")] + [
            (f"``{name}``", part, one["cause"])
            for part, found in parts.items()
            for name, one in found.items()
        ]


class SampleConfig(Directive):
    """A configuration file with all options and their defaults."""

    def run(self) -> list[nodes.Node]:
        """Return the file as a literal block."""
        conf = cfg.ConfigOpts()
        generator.register_cli_opts(conf)
        conf(["--namespace", "ceilometer_memballoon"])
        file = io.StringIO()
        generator.generate(conf, file)
        return [nodes.literal_block(text=file.getvalue(), language="ini")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("meters", Meters)
    app.add_directive("reasons", Reasons)
    app.add_directive("sample-config", SampleConfig)
    app.add_directive("tempest-exceptions", TempestExceptions)
    app.add_directive("tempest-options", TempestOptions)
    return {"parallel_read_safe": True}
