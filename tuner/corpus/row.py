"""One row of a table as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read: cells by column name (None = missing) and its 1-based line."""

    cells: Mapping[str, Any]
    line: int
