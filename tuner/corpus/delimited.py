"""Read a CSV or TSV table; what is wrong with it is named by line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuner.corpus.quoting import has_no_quoting, swallowed_rows
from tuner.corpus.row import Row, refuse_double_names
from tuner.errors import DataError
from tuner.records import Finding

__all__ = ["csv_delimiter", "csv_reader", "read_delimited"]

_CLOSED_QUOTE = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')


def read_delimited(
    path: Path, text: str, kind: str
) -> tuple[list[str], list[Row], tuple[Finding, ...]]:
    """Give the column names of a table, its rows and what was found; `kind` is "csv" or "tsv".

    Blank lines are skipped, above the header too; columns without a name are left out.
    Quotes in a TSV without quoting (see `has_no_quoting`) belong to its texts.

    Raises
    ------
    DataError
        If the header names a column twice, a row has too many cells, or a quote is wrong.
    """
    csv.field_size_limit(1 << 30)
    delimiter = "\t" if kind == "tsv" else csv_delimiter(text)
    quoted = not (kind == "tsv" and '"' in text and has_no_quoting(io.StringIO(text, newline="")))
    reader = csv_reader(io.StringIO(text, newline=""), delimiter, quoted=quoted)
    header: list[str] = []
    rows: list[Row] = []
    previous_line = 0
    try:
        for cells in reader:
            line = previous_line + 1
            previous_line = reader.line_num
            if not header:
                header = [name.strip() for name in cells]
                refuse_double_names(f"{path}, line {line}", header)
                header = header if any(header) else []  # a blank line above the header
                continue
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
        raise _broken_quotes(
            path, text, kind, delimiter, record=previous_line, line=reader.line_num, error=error
        ) from error
    findings = _findings(path, text, quoted, swallowed_rows(rows, header, delimiter))
    return [name for name in header if name], rows, findings


# The class of csv.reader has no public name.
def csv_reader(lines: Iterable[str], delimiter: str, *, quoted: bool = True) -> Any:
    """Read the cells of lines with their line ends; quotes are signs where they are not quoted."""
    return csv.reader(
        lines,
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )


def _findings(path: Path, text: str, quoted: bool, swallowing: list[Row]) -> tuple[Finding, ...]:
    if not quoted:
        message = (
            f"lines of {path} with quotes, which were read as signs of the texts: as marks around "
            "cells they would join rows or make no sense"
        )
        n = sum('"' in line for line in text.splitlines())
        return (Finding("unquoted_table", "info", n, message),)
    if not swallowing:
        return ()
    message = (
        "rows with a quoted cell that looks like several rows; where a quote was left open, close "
        "it, or write it twice if it belongs to the text"
    )
    places = tuple(f"{path}, line {row.line}" for row in swallowing[:3])
    return (Finding("open_quotes", "warning", len(swallowing), message, places),)


def csv_delimiter(text: str) -> str:
    r"""Find what separates the cells of a .csv: a comma, or what Excel writes in other locales.

    Another sign than the comma needs all of: the header line (the first that is not blank) has no
    comma; it has semicolons or else tabs, not both; and the first row below, where there is one,
    then has as many cells as the header, or fewer but two at least.

    >>> csv_delimiter("text;label\n好,看;a\n"), csv_delimiter("text\n好;看;吗\n")
    (';', ',')
    """
    lines = (found.group() for found in re.finditer(r"[^\r\n]+", text))
    header = next((line for line in lines if line.strip(" ;\t")), "")
    found = [mark for mark in ";\t" if mark in header]
    if "," in header or len(found) != 1:
        return ","
    filled = (
        cells
        for cells in csv_reader(io.StringIO(text, newline=""), found[0])
        if any(map(str.strip, cells))
    )
    try:
        names, first = next(filled), next(filled, None)
    except csv.Error:  # reading the table says where
        return found[0]
    return found[0] if first is None or 2 <= len(first) <= len(names) else ","


def _broken_quotes(
    path: Path,
    text: str,
    kind: str,
    delimiter: str,
    *,
    record: int,
    line: int,
    error: csv.Error,
) -> DataError:
    """Say which quote is wrong in the row that begins behind `record` lines, read to `line`."""
    if "unexpected end of data" not in str(error):
        begins = f", in the row that begins in line {record + 1}" if record + 1 < line else ""
        return DataError(
            f"{path}, line {line}: broken {kind}: {str(error).rstrip('.')}{begins}; "
            "a quote within a quoted cell is written twice."
        )
    rest = "".join(io.StringIO(text, newline="").readlines()[record:])
    opened = rest.find('"')
    while opened >= 0:
        # Inside an unquoted cell a quote is a sign like any other.
        opens_cell = opened == 0 or rest[opened - 1] == delimiter
        closed = _CLOSED_QUOTE.match(rest, opened) if opens_cell else None
        if opens_cell and closed is None:
            break
        opened = rest.find('"', closed.end() if closed else opened + 1)
    n_lines = len(io.StringIO(rest[: opened + 1], newline="").readlines())
    return DataError(
        f"{path}, line {record + n_lines}: broken {kind}: the quote that opens here is never "
        "closed; close it, or double it where it belongs to the text."
    )
