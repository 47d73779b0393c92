"""Find out whether quotes in a table enclose cells, or are signs of its texts."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tuner.corpus.row import Row

__all__ = ["has_no_quoting", "swallowed_rows"]

_LINE_END = re.compile(r"\r\n|\r|\n")


def has_no_quoting(lines: Iterable[str]) -> bool:
    r"""Say whether the quotes of a tab-separated table are signs of its texts.

    TSV is often written without quoting, and a text that begins with a quote then opens a cell
    that no one meant. It is taken so where reading quotes fails, or would join lines, and every
    such line by itself has the tabs of a row.

    Parameters
    ----------
    lines
        The table's lines with their line ends, the header first.

    >>> has_no_quoting(['text\tlabel\n', '"Hi\ta\n', 'he left"\tb\n'])
    True
    >>> has_no_quoting(['text\tlabel\n', '"two\n', 'lines"\ta\n'])
    False
    """
    tabs = _Tabs(lines)
    try:
        joins_rows = joins_parts = False
        for _ in csv.reader(tabs, delimiter="\t", strict=True):
            if len(tabs.of_record) > 1:
                are_rows = bool(tabs.width) and {tabs.width} == set(tabs.of_record)
                joins_rows, joins_parts = joins_rows or are_rows, joins_parts or not are_rows
            tabs.of_record.clear()
    except csv.Error:
        for _ in tabs:
            pass
        return tabs.all_fit
    return joins_rows and not joins_parts


class _Tabs(Iterator[str]):
    """Counts the tabs of the lines that are read of it, blank ones left out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.width: int | None = None
        self.of_record: list[int] = []
        self.all_fit = True

    def __next__(self) -> str:
        line = next(self._lines)
        if line.strip("\r\n"):
            n = line.count("\t")
            if self.width is None:
                self.width = n
            self.all_fit = self.all_fit and n == self.width
            self.of_record.append(n)
        return line


def swallowed_rows(rows: Sequence[Row], header: Sequence[str], delimiter: str) -> list[Row]:
    """Give the rows with a cell that looks like several rows, as a quote left open makes it.

    The first line of such a cell has the delimiters of the rest of a row, its last line those of
    the beginning of one, and what stands between them are values that the table's other rows
    have, such as its labels.
    """
    of_lines = [
        row for row in rows if any(map(_LINE_END.search, filter(None, row.cells.values())))
    ]
    if not of_lines:
        return []
    places = {row.line for row in of_lines}
    known: dict[str, Counter[str]] = {name: Counter() for name in header}
    for row in rows:
        if row.line not in places:
            for name in header:
                known[name][row.cells.get(name) or ""] += 1

    def is_swallowing(row: Row) -> bool:
        for column, name in enumerate(header):
            lines = _LINE_END.split(row.cells.get(name) or "")
            behind = lines[0].split(delimiter)[1:]
            before = lines[-1].split(delimiter)[:-1]
            if len(lines) < 2 or len(behind) != len(header) - 1 - column or len(before) != column:
                continue
            others = [*header[:column], *header[column + 1 :]]
            pairs = zip(others, [*before, *behind], strict=True)
            if any(value and known[of][value] > 1 for of, value in pairs):
                return True
        return False

    return [row for row in of_lines if is_swallowing(row)]
