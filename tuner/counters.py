"""What this process has counted since it began; read by whoever watches it.

Stages count what happens in them without knowing who reads it: a log, metrics, or nobody.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

__all__ = ["CACHE_FOUND", "CACHE_MADE", "HEARTBEATS", "STORAGE_RETRIES", "count", "counted"]

HEARTBEATS = "heartbeats"
STORAGE_RETRIES = "storage_retries"
CACHE_FOUND = "cache_found"
CACHE_MADE = "cache_made"

_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()


def count(event: str, of: str = "") -> None:
    """Count one event; `of` says of what, such as the stage whose cache was asked."""
    with _lock:
        _counts[event, of] += 1


def counted(event: str) -> Mapping[str, int]:
    """Give the counts of an event, by what it was of.

    >>> counted("never seen")
    {}
    """
    with _lock:
        return {of: number for (name, of), number in _counts.items() if name == event}
