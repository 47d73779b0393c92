"""Tables of a study as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from tuner.records import TrialRecord

__all__ = ["BYTE_ORDER_MARK", "csv_cell", "csv_row_writer", "trials_csv"]

BYTE_ORDER_MARK = "\ufeff"
"""Begins a CSV file: Excel takes UTF-8 without it for the code page of its country."""

_SIGNED_NUMBER = re.compile(r"[+-]\d+(\.\d+)?", re.ASCII)


def csv_row_writer(file: TextIO) -> Callable[[Iterable[Any]], None]:
    """Give a function that writes one row of cells, each as `csv_cell` gives it."""
    writer = csv.writer(file, lineterminator="\n")

    def write_row(cells: Iterable[Any]) -> None:
        writer.writerow([csv_cell(cell) for cell in cells])

    return write_row


def csv_cell(value: Any) -> Any:
    r"""Neutralise text that a spreadsheet would run as a formula; a signed number is none.

    Line ends become LF: Python 3.11 writes a lone CR without quotes, where readers begin a row.

    >>> csv_cell("=1+1"), csv_cell("fine"), csv_cell(-1.5), csv_cell("-1"), csv_cell("a\r=1")
    ("'=1+1", 'fine', -1.5, '-1', 'a\n=1')
    """
    if not isinstance(value, str) or _SIGNED_NUMBER.fullmatch(value):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\n") else text


def trials_csv(trials: Sequence[TrialRecord]) -> str:
    """Give one row a trial: number, state, value, times, parameters, curve, why it failed.

    It begins with a byte order mark.
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    buffer = io.StringIO()
    buffer.write(BYTE_ORDER_MARK)
    write_row = csv_row_writer(buffer)
    write_row(
        [
            "number",
            "state",
            "value",
            "best_epoch",
            "started",
            "seconds",
            "origin",
            "duplicate_of",
            "failure",
            *names,
            "curve",
        ]
    )
    for trial in trials:
        row = [
            trial.number,
            "retried" if trial.is_retried else trial.state,
            trial.value,
            trial.attributes.get("best_epoch"),
            trial.started,
            trial.seconds,
            trial.origin,
            trial.attributes.get("duplicate_of"),
            trial.attributes.get("failure"),
            *(trial.params.get(name) for name in names),
            json.dumps({str(step): value for step, value in trial.intermediate.items()}),
        ]
        write_row(row)
    return buffer.getvalue()
