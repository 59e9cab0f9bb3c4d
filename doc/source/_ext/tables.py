# SPDX-License-Identifier: Apache-2.0
"""Directives that print the code's own tables: ``meters``, ``reasons``."""

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from ceilometer_memballoon.meters import METERS
from ceilometer_memballoon.reasons import REMEDIES, STATES


class Table(Directive):
    """A list-table of what rows() gives, the head first."""

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in self.rows():
            lines += [("     - " if place else "   * - ") + cell for place, cell in enumerate(row)]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=__name__), self.content_offset, container)
        return container.children

    def rows(self) -> list[tuple[str, ...]]:
        """The cells, as reStructuredText."""
        raise NotImplementedError


class Meters(Table):
    """All meters."""

    def rows(self) -> list[tuple[str, ...]]:
        """A row a meter."""
        head = ("pollster", "sample", "type", "unit", "volume", "has a sample")
        return [head] + [
            (f"``{m.pollster}``", m.name, m.type, m.unit, m.source, m.rule.value)
            for m in METERS.values()
        ]


class Reasons(Table):
    """Every reason with its remedy."""

    def rows(self) -> list[tuple[str, ...]]:
        """A row a reason."""
        return [("reason", "number", "meaning, and what to do")] + [
            (reason.value, str(STATES[reason]), remedy) for reason, remedy in REMEDIES.items()
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("meters", Meters)
    app.add_directive("reasons", Reasons)
    return {"parallel_read_safe": True}
