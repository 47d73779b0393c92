"""Read a table of texts and labels from a file, a folder or a database, row by row."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.config import DataSettings, did_you_mean
from tuner.corpus.encoding import read_text
from tuner.corpus.row import Row
from tuner.corpus.sql import mask_password, read_query
from tuner.errors import ConfigError, DataError

__all__ = ["Table", "read_table", "read_texts"]

TEXT_NAMES = ("text", "content", "review", "sentence", "comment", "title", "body", "文本", "内容")
LABEL_NAMES = (
    "label",
    "category",
    "class",
    "sentiment",
    "target",
    "intent",
    "topic",
    "标签",
    "类别",
)
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with the names of the text and label columns."""

    source: str
    text: tuple[str, ...]
    label: str
    rows: tuple[Row, ...]


def read_texts(source: str, columns: tuple[str, ...]) -> list[str]:
    """Read the texts of a table that needs no labels; missing cells count as empty.

    Parameters
    ----------
    columns
        Text columns, joined by a blank; () takes the usual name.
    """
    names, rows = _read_rows(source, DataSettings())
    chosen = columns or (_usual(source, names, TEXT_NAMES, "text"),)
    _require(source, names, [("--text", name) for name in chosen])
    return [
        " ".join(str(row.cells[name]) for name in chosen if row.cells.get(name) is not None)
        for row in rows
    ]


def read_table(source: str, data: DataSettings) -> Table:
    """Read a CSV, TSV, JSONL or JSON file (also .gz), a folder of classes, or a SQL query.

    Parameters
    ----------
    source
        Path or SQLAlchemy URL.
    data
        Format, columns and query.

    Raises
    ------
    DataError
        If it cannot be read, has no rows, or lacks a column; names file and line.
    """
    columns, rows = _read_rows(source, data)
    shown = mask_password(source) if "://" in source else source
    return _pick_columns(shown, columns, rows, data)


def _read_rows(source: str, data: DataSettings) -> tuple[list[str], list[Row]]:
    if "://" in source:
        return read_query(source, data.query)
    path = Path(source)
    if path.is_dir():
        return ["text", "label"], list(_read_folder(path))
    kind = _format(path, data.format)
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{source}: the file is empty.")
    if kind in ("csv", "tsv"):
        columns, rows = _read_delimited(path, text, "," if kind == "csv" else "\t")
    else:
        rows = list(_json_rows(path, text, lines=kind == "jsonl"))
        columns = list(dict.fromkeys(name for row in rows for name in row.cells))
    if not rows:
        raise DataError(f"{source}: the file has no rows below its header.")
    return columns, rows


def _format(path: Path, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        if not path.exists():
            raise DataError(f"{path}: no such file.")
        raise DataError(
            f"{path}: the ending must be one of {', '.join(SUFFIXES)} (or with .gz); "
            f"got {path.suffix or 'none'!r}. Name it with --set data.format=csv."
        )
    return kind


def _read_delimited(path: Path, text: str, delimiter: str) -> tuple[list[str], list[Row]]:
    import csv

    csv.field_size_limit(1 << 30)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader)]
        if len(set(header)) != len(header):
            twice = sorted({name for name in header if header.count(name) > 1})
            raise DataError(f"{path}, line 1: column {twice[0]!r} stands twice in the header.")
        previous_line = reader.line_num
        for cells in reader:
            line = previous_line + 1
            previous_line = reader.line_num
            if not cells:
                continue  # a blank line
            if len(cells) > len(header):
                raise DataError(
                    f"{path}, line {line}: {len(cells)} cells where the header names "
                    f"{len(header)}. Is a text with {delimiter!r} in it missing its quotes?"
                )
            padded = [*cells, *[None] * (len(header) - len(cells))]
            rows.append(Row(dict(zip(header, padded, strict=True)), line))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: broken {path.suffix[1:]}: {error}."
        ) from error
    return header, rows


def _json_rows(path: Path, text: str, *, lines: bool) -> Iterator[Row]:
    if lines:
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield Row(_json_object(path, line, number, what="one JSON object"), number)
        return
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: broken JSON: {error.msg}.") from error
    if not isinstance(values, list):
        raise DataError(f"{path}: must be a list of objects; got {type(values).__name__}.")
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise DataError(f"{path}, row {number}: must be an object; got {_short(value)}.")
        yield Row(value, number)


def _json_object(path: Path, text: str, line: int, *, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {line}: must be {what}: {error.msg}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}, line {line}: must be {what}; got {_short(value)}.")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _read_folder(folder: Path) -> Iterator[Row]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not classes:
        raise DataError(
            f"{folder}: a folder must have one subfolder a class, with text files in it."
        )
    number = 0
    for class_folder in classes:
        for path in sorted(class_folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                number += 1
                yield Row({"text": read_text(path), "label": class_folder.name}, number)
    if number == 0:
        raise DataError(f"{folder}: the class folders hold no files.")


def _pick_columns(
    source: str, columns: Iterable[str], rows: list[Row], data: DataSettings
) -> Table:
    names = list(columns)
    text = data.text or (_usual(source, names, TEXT_NAMES, "text"),)
    label = data.label or _usual(source, names, LABEL_NAMES, "label")
    _require(source, names, [*(("--text", name) for name in text), ("--label", label)])
    if label in text:
        raise ConfigError(f"--label must not be a text column too; got {label!r} for both.")
    return Table(source, text, label, tuple(rows))


def _require(source: str, columns: list[str], wanted: list[tuple[str, str]]) -> None:
    for option, name in wanted:
        if name not in columns:
            raise DataError(
                f"{source}: {option} names column {name!r}, which is not there."
                f"{did_you_mean(name, columns)} Columns: {', '.join(columns)}."
            )


def _usual(source: str, columns: list[str], usual: tuple[str, ...], kind: str) -> str:
    found = [name for wanted in usual for name in columns if name.strip().lower() == wanted]
    if not found:
        raise DataError(
            f"{source}: which column holds the {kind}? Name it with --{kind}. "
            f"Columns: {', '.join(columns)}."
        )
    return found[0]
