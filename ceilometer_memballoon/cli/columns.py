# SPDX-License-Identifier: Apache-2.0
"""Cells of tables. They are short in a table, and complete in JSON, YAML, CSV and values."""

import os
import sys
import textwrap
from typing import Any

from cliff import columns

from ceilometer_memballoon.problem_log import printable

OK = "ok"
YELLOW, PLAIN = "\033[33m", "\033[0m"
#: Enough digits of a UUID to distinguish the guests of a host.
UUID_DIGITS = 8
NAME_LETTERS = 14
TEXT_LETTERS = 64
#: A number below this shows as 0.0 with one decimal.
SMALLEST_CHANGE = 0.05
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Cell(columns.FormattableColumn):  # type: ignore[misc]
    """A value that may be missing. It is '-' in a table, null elsewhere, and sorts last."""

    def __lt__(self, other: Any) -> bool:
        mine, others = self._value, other._value
        return mine is not None and (others is None or mine < others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def human_readable(self) -> str:
        """Return the cell's text in a table."""
        return "-" if self._value is None else self._shown()

    def _shown(self) -> str:
        return printable(self._value)


class Uuid(Cell):
    """An instance UUID. A table shows its first digits."""

    def _shown(self) -> str:
        return str(self._value)[:UUID_DIGITS]


class Name(Cell):
    """A name that a user chose, of any length and with any characters. A table shortens it."""

    def _shown(self) -> str:
        text = printable(self._value)
        return text if len(text) <= NAME_LETTERS else text[: NAME_LETTERS - 1] + "…"


class Text(Cell):
    """Sentences. A table wraps them."""

    def _shown(self) -> str:
        return textwrap.fill(str(self._value), TEXT_LETTERS)


class Number(Cell):
    """A number with one decimal."""

    def _shown(self) -> str:
        return f"{self._value:.1f}"


class Duration(Cell):
    """Seconds, in the largest unit that gives at least 2."""

    def _shown(self) -> str:
        seconds, unit = next(
            (seconds, unit) for seconds, unit in UNITS if seconds == 1 or self._value >= 2 * seconds
        )
        return f"{self._value // seconds} {unit}"


class Integer(Cell):
    """A number without decimals."""

    def _shown(self) -> str:
        return f"{self._value:.0f}"


class Verdict(Cell):
    """'ok' or the reason. A terminal shows a reason in colour."""

    def _shown(self) -> str:
        wants_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        if self._value == OK or not wants_colour:
            return str(self._value)
        return f"{YELLOW}{self._value}{PLAIN}"


class Period(Cell):
    """A balloon's period in seconds. The option's period follows in parentheses if it differs."""

    def __init__(self, value: int | None, option: int) -> None:
        super().__init__(value)
        self._option = option

    def _shown(self) -> str:
        differs = self._option > 0 and self._value != self._option
        return f"{self._value} ({self._option})" if differs else str(self._value)


class Change(Cell):
    """A number with a sign and one decimal; blank if it rounds to zero."""

    def _shown(self) -> str:
        return f"{self._value:+.1f}" if abs(self._value) >= SMALLEST_CHANGE else ""


class Rate(Cell):
    """A number with one decimal; blank if it rounds to zero."""

    def _shown(self) -> str:
        return f"{self._value:.1f}" if self._value >= SMALLEST_CHANGE else ""
