"""Keep finished cells as JSON lines, so that a run that was killed goes on after the last one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["JsonLines", "append_line", "read_lines"]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the cells; a line that a kill has torn is none."""
    cells = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            cells.append(json.loads(line))
        except ValueError:
            continue
    return cells


def append_line(path: Path, cell: Mapping[str, Any]) -> None:
    """Add a cell and see it to the disk; a torn line before it is ended first."""
    with path.open("a+b") as file:
        if file.tell() and not _ends_whole(file):
            file.write(b"\n")
        file.write(json.dumps(cell, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


class JsonLines:
    """Measurements in a file, one JSON object a line; those of an earlier run are kept.

    With a code (see `code_key.py`) each bears it, and those of other code stay in the file unseen.
    """

    def __init__(self, path: Path, *, code: str | None = None) -> None:
        self._path = path
        self._mark = {} if code is None else {"code": code}
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = [row for row in read_lines(path) if self._mark.items() <= row.items()]

    def having(self, **wanted: Any) -> list[dict[str, Any]]:
        """Give the measurements with these fields."""
        return [row for row in self.rows if wanted.items() <= row.items()]

    def obtain(
        self, case: Mapping[str, Any], measure: Callable[[], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Give the measurement of a case, made now and kept unless there is one."""
        if not self.having(**case):
            self.add({**case, **measure()})
        return self.having(**case)[0]

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a measurement at once, and show it."""
        row = {**row, **self._mark}
        self.rows.append(row)
        append_line(self._path, row)
        print(json.dumps(row, ensure_ascii=False), flush=True)


def _ends_whole(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
