"""Read a table of texts and labels from a file, a folder or a database, row by row."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.config import DataSettings, did_you_mean
from tuner.corpus.binary_tables import UnsavedFormula, read_excel, read_parquet
from tuner.corpus.class_folder import read_class_folder
from tuner.corpus.delimited import read_delimited
from tuner.corpus.encoding import read_text
from tuner.corpus.json_rows import read_json_rows
from tuner.corpus.row import ErrorCell, Row, cell_text, shown_name, shown_value
from tuner.corpus.sql import mask_password, read_query
from tuner.errors import ConfigError, DataError
from tuner.records import Finding

__all__ = [
    "SUFFIXES",
    "Table",
    "read_table",
    "read_texts",
    "read_texts_as_trained",
    "text_columns",
]

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
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with the names of the text and label columns, and what was found in reading them."""

    source: str
    text: tuple[str, ...]
    label: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()


def read_texts(source: str, columns: tuple[str, ...]) -> list[str]:
    """Read the texts of a table that needs no labels; missing cells count as empty.

    Parameters
    ----------
    columns
        Text columns, joined by a blank; () takes the usual name.
    """

    def choose(names: list[str]) -> Sequence[str]:
        return text_columns(source, names, columns)

    return _chosen_texts(source, choose)[1]


def read_texts_as_trained(
    source: str, trained: tuple[str, ...]
) -> tuple[tuple[str, ...], list[str]]:
    """Read a table's texts for a model, of the columns it was trained on; see `read_texts`.

    Parameters
    ----------
    trained
        Text columns of the training; () where no one knows.

    Returns
    -------
    columns : tuple of str
        Those that were read: the usual one where the table has none of `trained`.
    texts : list of str

    Raises
    ------
    DataError
        If the table has some of them only, for other texts than the model knows would come of it.
    """

    def choose(names: list[str]) -> Sequence[str]:
        missing = [name for name in trained if name not in names]
        if not missing or len(missing) == len(trained):
            return text_columns(source, names, () if missing else trained)
        known, absent, there = (", ".join(map(shown_name, n)) for n in (trained, missing, names))
        raise DataError(
            f"{source}: the model was trained on the columns {known}, of which {absent} is not "
            f"there; name those to read with --text. Columns: {there}."
        )

    return _chosen_texts(source, choose)


def _chosen_texts(
    source: str, choose: Callable[[list[str]], Sequence[str]]
) -> tuple[tuple[str, ...], list[str]]:
    names, rows, _ = _read_rows(source, DataSettings(), choose=choose, remedy="Rename the file")
    chosen = tuple(choose(names))
    _refuse_nested(source, rows, chosen)
    texts = [" ".join(filter(None, (cell_text(row.cells.get(n)) for n in chosen))) for row in rows]
    return chosen, texts


def text_columns(source: str, names: list[str], asked: Sequence[str]) -> Sequence[str]:
    """Give the text columns among all: those asked for, which must be there, or the usual one."""
    chosen = asked or _usual(source, names, TEXT_NAMES, "text")[:1]
    _require(source, names, [("--text", name) for name in chosen])
    return chosen


def read_table(source: str, data: DataSettings) -> Table:
    """Read a CSV, TSV, JSONL or JSON file (also .gz), Parquet, Excel, class folders, or SQL.

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
    shown = mask_password(source) if "://" in source else source
    columns, rows, findings = _read_rows(
        source, data, choose=lambda names: _chosen(shown, names, data).all
    )
    chosen = _chosen(shown, columns, data)
    findings += chosen.findings
    _refuse_nested(shown, rows, chosen.all)
    findings += _errors(shown, rows, chosen.all)
    return Table(shown, chosen.text, chosen.label, tuple(rows), findings)


def _read_rows(
    source: str,
    data: DataSettings,
    *,
    choose: Callable[[list[str]], Sequence[str]],
    remedy: str = "Name it with --set data.format=csv",
) -> tuple[list[str], list[Row], tuple[Finding, ...]]:
    """Give the names of all columns, rows with those that `choose` names of them, and findings."""
    if "://" in source:
        return *read_query(source, data.query), ()
    path = Path(source)
    if path.is_dir():
        rows, findings = read_class_folder(path)
        return ["text", "label"], rows, findings
    kind = _format(path, data.format, remedy)
    findings = ()
    if kind == "xlsx":
        return read_excel(path, data.sheet)
    if kind == "parquet":
        columns, rows = read_parquet(path, choose)
    else:
        columns, rows, findings = _read_text_table(path, kind)
    if not rows:
        raise DataError(f"{source}: the file has no rows below its header.")
    return columns, rows, findings


def _read_text_table(path: Path, kind: str) -> tuple[list[str], list[Row], tuple[Finding, ...]]:
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path}: the file is empty.")
    if kind in ("csv", "tsv"):
        return read_delimited(path, text, kind)
    rows = list(read_json_rows(path, text, lines=kind == "jsonl"))
    return list(dict.fromkeys(name for row in rows for name in row.cells)), rows, ()


def _format(path: Path, wanted: str, remedy: str) -> str:
    if wanted != "auto":
        return wanted
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        if not path.exists():
            raise DataError(f"{path}: no such file.")
        raise DataError(
            f"{path}: the ending must be one of {', '.join(SUFFIXES)} (or with .gz); "
            f"got {path.suffix or 'none'!r}. {remedy}."
        )
    return kind


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The columns of text and label, and which others could be text too."""

    text: tuple[str, ...]
    label: str
    findings: tuple[Finding, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.text, self.label)


def _chosen(source: str, names: list[str], data: DataSettings) -> _Chosen:
    usual = () if data.text else _usual(source, names, TEXT_NAMES, "text")
    text = data.text or usual[:1]
    label = data.label or _usual(source, names, LABEL_NAMES, "label")[0]
    findings = _guessed(source, text[0], [name for name in usual[1:] if name != label])
    _require(source, names, [*(("--text", name) for name in text), ("--label", label)])
    if label in text:
        raise ConfigError(f"--label must not be a text column too; got {label!r} for both.")
    return _Chosen(text, label, findings)


def _require(source: str, columns: list[str], wanted: list[tuple[str, str]]) -> None:
    shown = list(map(shown_name, columns))
    for option, name in wanted:
        if name not in columns:
            raise DataError(
                f"{source}: {option} names column {name!r}, which is not there."
                f"{did_you_mean(name, shown, lists=False)} Columns: {', '.join(shown)}."
            )


def _usual(source: str, columns: list[str], usual: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Give the columns that are named as usual, the commonest name first; at least one."""
    found = [name for wanted in usual for name in columns if name.strip().lower() == wanted]
    if not found:
        raise DataError(
            f"{source}: which column holds the {kind}? Name it with --{kind}. "
            f"Columns: {', '.join(map(shown_name, columns))}."
        )
    return tuple(found)


def _guessed(source: str, taken: str, others: Sequence[str]) -> tuple[Finding, ...]:
    """Say which columns were left out though their names say that they hold text."""
    if not others:
        return ()
    columns = [taken, *others]
    return (
        Finding(
            "unread_text_columns",
            "warning",
            len(others),
            f"columns of {source} that could be text too and are not read: "
            f"{', '.join(map(shown_name, others))}; only {shown_name(taken)} is. To join them: "
            + " ".join(f"--text {shlex.quote(name)}" for name in columns),
        ),
    )


def _errors(source: str, rows: Iterable[Row], names: Sequence[str]) -> tuple[Finding, ...]:
    """Say how many cells hold an error of the spreadsheet, and where the first ones are."""
    places = [
        f"{source}, line {row.line}, column {shown_name(name)}"
        for row in rows
        for name in names
        if isinstance(row.cells.get(name), ErrorCell)
    ]
    if not places:
        return ()
    message = "cells that hold an error of the spreadsheet, such as #N/A, and count as missing"
    return (Finding("error_cells", "warning", len(places), message, tuple(places[:3])),)


def _refuse_nested(source: str, rows: Iterable[Row], names: Sequence[str]) -> None:
    """Refuse cells that are neither text nor number: as text they would be program code."""
    for row in rows:
        for name in names:
            value = row.cells.get(name)
            if isinstance(value, UnsavedFormula):
                raise DataError(
                    f"{row.source or source}, line {row.line}: column {name!r} has a formula "
                    "whose value was not saved with the file. Open it in a spreadsheet program, "
                    "which calculates it, and save it there."
                )
            if isinstance(value, list | dict | tuple | set | bytes | memoryview):
                raise DataError(
                    f"{row.source or source}, line {row.line}: column {name!r} must hold a text "
                    f"or a number, not {type(value).__name__}; got {shown_value(value)}."
                )
