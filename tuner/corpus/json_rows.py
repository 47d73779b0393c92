"""Read a table from JSON: a list of objects, or one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.corpus.row import Row, cell_text, shown_value
from tuner.errors import DataError

__all__ = ["read_json_rows"]

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|\d+', re.DOTALL)
_JSON_DIGITS_MAX = 4300  # Python's limit, since reading more takes time that grows as a square


def read_json_rows(path: Path, text: str, *, lines: bool) -> Iterator[Row]:
    """Give the rows of a JSON table; with `lines` every line is an object of its own.

    Raises
    ------
    DataError
        If it is no JSON, no list of objects, or more than can be read.
    """
    if lines:
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                value = _parse_json(path, line, number, what="must be one JSON object")
                if not isinstance(value, dict):
                    shown = shown_value(value)
                    raise DataError(
                        f"{path}, line {number}: must be one JSON object; got {shown}."
                    )
                yield Row(_whole_names(value), number)
        return
    values = _parse_json(path, text, None, what="broken JSON")
    if not isinstance(values, list):
        raise DataError(f"{path}: must be a list of objects; got {type(values).__name__}.")
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise DataError(f"{path}, row {number}: must be an object; got {shown_value(value)}.")
        yield Row(_whole_names(value), number)


def _whole_names(value: dict[str, Any]) -> dict[str, Any]:
    return {cell_text(name): cell for name, cell in value.items()}


def _parse_json(path: Path, text: str, line: int | None, *, what: str) -> Any:
    """Read JSON that is one line of a file, or with `line` None the whole file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {line or error.lineno}: {what}: {error.msg.rstrip('.')}."
        ) from error
    except (RecursionError, ValueError) as error:
        depth, deepest, digits = _json_extremes(text)
        too_deep = isinstance(error, RecursionError)
        place = deepest if too_deep else digits
        found = line or text.count("\n", 0, place) + 1
        raise DataError(
            f"{path}, line {found}: {what}: "
            + (
                f"lists and objects lie {depth:,} deep in each other, more than can be read."
                if too_deep
                else f"a number has more than {_JSON_DIGITS_MAX:,} digits, more than is read."
            )
        ) from error


def _json_extremes(text: str) -> tuple[int, int, int]:
    """Give the greatest depth, where it is reached, and where the first number too long is."""
    depth = greatest = deepest = 0
    digits = -1
    for token in _JSON_TOKEN.finditer(text):
        sign = token[0]
        if sign in ("[", "{"):
            depth += 1
            if depth > greatest:
                greatest, deepest = depth, token.start()
        elif sign in ("]", "}"):
            depth -= 1
        elif digits < 0 and sign[0] != '"' and len(sign) > _JSON_DIGITS_MAX:
            digits = token.start()
    return greatest, deepest, max(digits, 0)
