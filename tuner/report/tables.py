"""Tables of a study as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from tuner.records import TrialRecord

__all__ = ["csv_cell", "trials_csv"]

_SIGNED_NUMBER = re.compile(r"[+-]\d+(\.\d+)?", re.ASCII)


def csv_cell(value: Any) -> Any:
    """Neutralise text that a spreadsheet would run as a formula; a signed number is none.

    >>> csv_cell("=1+1"), csv_cell("fine"), csv_cell(-1.5), csv_cell("-1")
    ("'=1+1", 'fine', -1.5, '-1')
    """
    if not isinstance(value, str) or _SIGNED_NUMBER.fullmatch(value):
        return value
    if value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def trials_csv(trials: Sequence[TrialRecord]) -> str:
    """Give one row a trial: number, state, value, times, parameters, curve, why it failed."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
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
        writer.writerow([csv_cell(value) for value in row])
    return buffer.getvalue()
