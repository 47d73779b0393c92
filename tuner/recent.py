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
    weigh
        Gives what one weighs, where more may stay as long as they are light.
    weight_max
        What those above `n_kept` may weigh, the others included.
    """

    def __init__(
        self, n_kept: int, *, weigh: Callable[[V], int] | None = None, weight_max: int = 0
    ) -> None:
        self._n_kept = n_kept
        self._weigh = weigh
        self._weight_max = weight_max
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
        while len(self._kept) > self._n_kept and not self._is_light():
            del self._kept[next(iter(self._kept))]
        return value

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._kept)

    def _is_light(self) -> bool:
        weigh = self._weigh
        if weigh is None:
            return False
        return sum(map(weigh, self._kept.values())) <= self._weight_max
