"""Read a table from a Parquet file or an Excel workbook; both need the extra `files`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tuner.corpus.row import Row, refuse_double_names
from tuner.errors import ConfigError, DataError

__all__ = ["read_excel", "read_parquet"]


def read_parquet(path: Path) -> tuple[list[str], list[Row]]:
    """Give the column names of a Parquet file and its rows, counted from 1.

    Raises
    ------
    ConfigError
        If pyarrow is not installed.
    DataError
        If the file is missing or broken, or names a column twice.
    """
    pyarrow = _require("pyarrow", path)
    parquet = import_module("pyarrow.parquet")
    _require_file(path)
    try:
        with path.open("rb") as file:  # a file: pyarrow would take a folder for a data set
            table = parquet.ParquetFile(file).read()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"{path}: not a Parquet file that can be read: {reason}.") from error
    names = [str(name) for name in table.column_names]
    refuse_double_names(str(path), names)
    return names, [Row(cells, number) for number, cells in enumerate(table.to_pylist(), start=1)]


def read_excel(path: Path) -> tuple[list[str], list[Row]]:
    """Give the column names of the first sheet of a workbook (.xlsx) and its rows.

    The first row that is not blank is the header; blank rows and columns without a name are left
    out. A formula counts with the value that was saved with it.

    Raises
    ------
    ConfigError
        If openpyxl is not installed.
    DataError
        If the file is missing, no workbook, or names a column twice.
    """
    openpyxl = _require("openpyxl", path)
    from xml.etree.ElementTree import ParseError
    from zipfile import BadZipFile

    _require_file(path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of styles and validations that are not read
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
            if not workbook.worksheets:
                raise DataError(f"{path}: the workbook has no sheet of cells.")
            lines = [tuple(row) for row in workbook.worksheets[0].iter_rows(values_only=True)]
    except (BadZipFile, ParseError, KeyError, ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: not an Excel workbook (.xlsx) that can be read, or protected by a password."
        ) from error
    numbered = [
        (number, cells)
        for number, cells in enumerate(lines, start=1)
        if any(cell not in (None, "") for cell in cells)
    ]
    if not numbered:
        raise DataError(f"{path}: the first sheet is empty.")
    (line, first), *rest = numbered
    header = ["" if cell is None else str(cell).strip() for cell in first]
    refuse_double_names(f"{path}, row {line}", header)
    return [name for name in header if name], list(_rows(header, rest))


def _rows(header: Sequence[str], numbered: Sequence[tuple[int, tuple[Any, ...]]]) -> Iterator[Row]:
    for number, cells in numbered:
        # Rows end at their last cell, which may lie before or behind the header's.
        padded = [*cells, *[None] * (len(header) - len(cells))][: len(header)]
        yield Row({name: c for name, c in zip(header, padded, strict=True) if name}, number)


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
