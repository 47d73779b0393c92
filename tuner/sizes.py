"""The few sizes that shapes are filled up to where any size may be asked for."""

from __future__ import annotations

__all__ = ["few_sizes_up"]


def few_sizes_up(n: int) -> int:
    """Round up to a power of two or three quarters of one.

    Every shape of a program is seconds of compiling; what is filled up costs half as much memory
    at most, and little time where it stands for rows that no batch reads.

    >>> [few_sizes_up(n) for n in (1, 5, 16, 17, 700, 5000, 40_000)]
    [1, 6, 16, 24, 768, 6144, 49152]
    """
    power = 1 << (n - 1).bit_length()
    return power * 3 // 4 if n <= power * 3 // 4 else power
