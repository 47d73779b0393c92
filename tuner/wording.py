"""Numbers as words say them."""

from __future__ import annotations

__all__ = ["counted", "size_words", "times"]


def times(n: int) -> str:
    """Say how often.

    >>> times(1), times(2), times(3)
    ('once', 'twice', '3 times')
    """
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def counted(n: int, noun: str) -> str:
    """Say how many, of a noun whose plural ends in s.

    >>> counted(1, "text"), counted(2, "text")
    ('1 text', '2 texts')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def size_words(n_bytes: int) -> str:
    """Give a size in the largest unit that leaves a whole number before the point.

    >>> size_words(999), size_words(1_500_000), size_words(20 * 10**9)
    ('999 B', '1.5 MB', '20.0 GB')
    """
    for unit, size in {"TB": 10**12, "GB": 10**9, "MB": 10**6, "KB": 10**3}.items():
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} B"
