"""The few things that were used last; others are made again when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps what is dear to make, by key, and lets go of what was not used for longest.

    Parameters
    ----------
    n_kept
        How many stay in memory, at least 1.
    """

    def __init__(self, n_kept: int) -> None:
        self._n_kept = n_kept
        self._kept: dict[K, V] = {}  # in the order of their last use

    def obtain(self, key: K, make: Callable[[], V]) -> V:
        """Give the one of this key, made now if it is not kept.

        >>> recent = Recent(2)
        >>> for key in "abaca":
        ...     _ = recent.obtain(key, lambda: print(f"makes {key}"))
        makes a
        makes b
        makes c
        """
        value = self._kept.pop(key) if key in self._kept else make()
        self._kept[key] = value
        while len(self._kept) > self._n_kept:
            del self._kept[next(iter(self._kept))]
        return value
