"""Numbers as words say them."""

from __future__ import annotations

__all__ = ["counted", "times"]


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
