"""One row of a table as it was read, and how its parts are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.errors import DataError

__all__ = [
    "ErrorCell",
    "Row",
    "cell_text",
    "double_names",
    "refuse_double_names",
    "shown_name",
    "shown_value",
]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read: cells by column name (None = missing) and its 1-based line.

    `source` is the row's own file where the table has one for each, else None.
    """

    cells: Mapping[str, Any]
    line: int
    source: str | None = None


class ErrorCell:
    """A cell that holds an error of its spreadsheet, such as `#N/A`, and so no value."""


def cell_text(value: Any) -> str:
    r"""Give a cell as text; a missing one, or one that holds an error, is empty.

    Half a surrogate pair, as JSON may escape it, cannot be stored: it becomes U+FFFD.

    >>> cell_text(3.0), cell_text(float("nan")), cell_text("cut\ud83d") == "cut\ufffd"
    ('3', '', True)
    """
    is_nan = isinstance(value, float) and math.isnan(value)
    if value is None or is_nan or isinstance(value, ErrorCell):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a whole number that a table with gaps stored as 1.0
    return _LONE_SURROGATE.sub("\ufffd", str(value))


def shown_name(name: str) -> str:
    r"""Give a column's name for a message, escaped where it would not be one printed line.

    >>> shown_name("text"), shown_name("a\nb")
    ('text', "'a\\nb'")
    """
    return name if name.isprintable() else repr(name)


def shown_value(value: Any) -> str:
    """Give the beginning of a value for a message."""
    try:
        text = repr(value)
    except RecursionError:  # JSON may lie deeper than Python shows it
        text = f"a {type(value).__name__} too deep to show"
    return text if len(text) <= 60 else f"{text[:57]}…"


def double_names(names: Sequence[str]) -> list[str]:
    """Give the names that stand more than once, sorted."""
    return sorted({name for name in names if names.count(name) > 1})


def refuse_double_names(place: str, header: Sequence[str]) -> None:
    """Raise `DataError` if a header names a column twice; columns without a name do not count."""
    twice = double_names(list(filter(None, header)))
    if twice:
        raise DataError(
            f"{place}: column {twice[0]!r} stands twice in the header; each must have a name of "
            "its own."
        )
