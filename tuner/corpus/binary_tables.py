"""Read a table from a Parquet file or an Excel workbook; both need the extra `files`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from tuner.corpus.row import ErrorCell, Row, refuse_double_names
from tuner.errors import ConfigError, DataError
from tuner.nearest import did_you_mean
from tuner.records import Finding

__all__ = ["UnsavedFormula", "read_excel", "read_parquet"]


def read_parquet(
    path: Path, choose: Callable[[list[str]], Iterable[str]]
) -> tuple[list[str], list[Row]]:
    """Give the names of all columns of a Parquet file, and its rows, counted from 1.

    Parameters
    ----------
    choose
        Gives the columns to load by the names of all.

    Raises
    ------
    ConfigError
        If pyarrow is not installed.
    DataError
        If the file is missing or broken, names a column twice, or has a value in the columns to
        load that Python has no type for.
    """
    pyarrow = _require("pyarrow", path)
    parquet = import_module("pyarrow.parquet")
    _require_file(path)
    try:
        with path.open("rb") as file:  # a file: pyarrow would take a folder for a data set
            opened = parquet.ParquetFile(file)
            names = list(map(str, opened.schema_arrow.names))
            refuse_double_names(str(path), names)
            chosen = list(dict.fromkeys(choose(names)))
            # Asked for "text" it gives "text.en" too, as if that lay within.
            table = _as_texts(pyarrow, opened.read(chosen).select(chosen))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: not a Parquet file that can be read: {_first_line(error)}."
        ) from error
    columns = [_values(path, name, table.column(name)) for name in chosen]
    rows = enumerate(zip(*columns, strict=True), start=1)
    return names, [Row(dict(zip(chosen, cells, strict=True)), number) for number, cells in rows]


def _values(path: Path, name: str, column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, LookupError, NotImplementedError) as error:
        raise DataError(
            f"{path}: column {name!r} has a value that cannot be read: {_first_line(error)}."
        ) from error
    return values


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _as_texts(pyarrow: Any, table: Any) -> Any:
    """Give the table with columns of bytes as texts, where they are UTF-8: Spark wrote such."""
    for place, field in enumerate(table.schema):
        if pyarrow.types.is_binary(field.type) or pyarrow.types.is_large_binary(field.type):
            with suppress(pyarrow.ArrowInvalid):
                texts = table.column(place).cast(pyarrow.large_string())
                table = table.set_column(place, field.name, texts)
    return table


class UnsavedFormula:
    """A cell whose formula has no value: the file was not saved by what can calculate it."""


def read_excel(
    path: Path, sheet: str | None = None
) -> tuple[list[str], list[Row], tuple[Finding, ...]]:
    """Give the column names of a sheet of a workbook (.xlsx), its rows, and what is not read.

    The first row that is not blank is the header; blank rows and columns without a name are left
    out. A formula counts with the value that was saved with it; one without is `UnsavedFormula`.
    Cells that hold an error, such as `#N/A`, are `ErrorCell`.

    Parameters
    ----------
    sheet
        Its name; None for the first one.

    Raises
    ------
    ConfigError
        If openpyxl is not installed.
    DataError
        If the file is missing, no workbook, has no such sheet or no rows on it, or names a column
        twice.
    """
    openpyxl = _require("openpyxl", path)
    _require_file(path)
    with _read_errors(path), path.open("rb") as file:
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
        named = {each.title: each for each in workbook.worksheets}
        if not named:
            raise DataError(f"{path}: the workbook has no sheet of cells.")
        chosen = next(iter(named)) if sheet is None else sheet
        if chosen not in named:
            raise DataError(
                f"{path}: data.sheet names {chosen!r}, which is not there."
                f"{did_you_mean(chosen, named, lists=False)} Sheets: {', '.join(named)}."
            )
        lines = [tuple(map(_value, cells)) for cells in _lines(named[chosen])]
    others = [name for name in named if name != chosen]
    numbered = [
        (number, cells)
        for number, cells in enumerate(lines, start=1)
        if any(cell not in (None, "") for cell in cells)
    ]
    if not numbered:
        raise DataError(f"{path}: sheet {chosen!r} is empty.{_elsewhere(others)}")
    (line, first), *rest = numbered
    has_no_name = (type(None), ErrorCell)
    header = ["" if isinstance(cell, has_no_name) else str(cell).strip() for cell in first]
    refuse_double_names(f"{path}, row {line}", header)
    rows = list(_rows(header, rest))
    if not rows:
        raise DataError(
            f"{path}: sheet {chosen!r} has no rows below its header.{_elsewhere(others)}"
        )
    if any(cell is None for row in rows for cell in row.cells.values()):
        with _read_errors(path), path.open("rb") as file:
            formulas = openpyxl.load_workbook(file, read_only=True)[chosen]
            rows = list(_marked(rows, _lines(formulas), header))
    return [name for name in header if name], rows, _unread(path, chosen, others)


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    from xml.etree.ElementTree import ParseError
    from zipfile import BadZipFile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations that are not read
            yield
    except (BadZipFile, ParseError, KeyError, ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: not an Excel workbook (.xlsx) that can be read, or protected by a password."
        ) from error


def _lines(sheet: Any) -> Iterator[Sequence[Any]]:
    """Give the cells of every row up to its last one, whatever size the sheet claims to have."""
    sheet.reset_dimensions()  # what exporters write there is often another table's size
    return iter(sheet.iter_rows())


def _value(cell: Any) -> Any:
    return ErrorCell() if cell.data_type == "e" else cell.value


def _rows(header: Sequence[str], numbered: Sequence[tuple[int, tuple[Any, ...]]]) -> Iterator[Row]:
    for number, cells in numbered:
        # Rows end at their last cell, which may lie before or behind the header's.
        padded = [*cells, *[None] * (len(header) - len(cells))][: len(header)]
        yield Row({name: c for name, c in zip(header, padded, strict=True) if name}, number)


def _marked(
    rows: Iterable[Row], lines: Iterable[Sequence[Any]], header: Sequence[str]
) -> Iterator[Row]:
    """Put `UnsavedFormula` where a cell without a value has a formula."""
    numbered = iter(enumerate(lines, start=1))
    for row in rows:
        line = next(cells for number, cells in numbered if number == row.line)
        formulas = {
            name for name, cell in zip(header, line, strict=False) if cell.data_type == "f"
        }
        marked = {
            name: UnsavedFormula() if value is None and name in formulas else value
            for name, value in row.cells.items()
        }
        yield Row(marked, row.line)


def _elsewhere(others: Sequence[str]) -> str:
    return f" To read another one: --set data.sheet={others[0]!r}." if others else ""


def _unread(path: Path, chosen: str, others: Sequence[str]) -> tuple[Finding, ...]:
    if not others:
        return ()
    return (
        Finding(
            "unread_sheets",
            "warning",
            len(others),
            f"sheets of {path} that are not read: {', '.join(others)}; only {chosen} is."
            f"{_elsewhere(others)}",
        ),
    )


def _require(package: str, path: Path) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"{path}: a table of this kind needs {package}, which is not installed; install the "
            "extra: pip install 'tuner[files]'."
        ) from error


def _require_file(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path}: no such file.")
