"""Every combination of a finite space, each tried once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuner.errors import ConfigError

__all__ = ["Grid"]

SIZE_MAX = 1_000_000


class Grid:
    """The points of a finite space, in an order shuffled by the study's seed.

    A shuffled order covers the space evenly however early the search ends.

    Parameters
    ----------
    space
        Choices, whole numbers, and numbers with a step.
    seed
        Study seed.

    Raises
    ------
    ConfigError
        If a parameter has infinitely many values, or the grid more than 1,000,000 points; names
        the parameter, or the size.
    """

    def __init__(self, space: Mapping[str, BaseDistribution], *, seed: int) -> None:
        sizes = {name: _n_values(name, distribution) for name, distribution in space.items()}
        size = math.prod(sizes.values())
        if size > SIZE_MAX:
            shown = ", ".join(f"{name} {n:,}" for name, n in sizes.items())
            raise ConfigError(
                f"sampler.name 'grid' can have at most {SIZE_MAX:,} combinations; got {size:,} "
                f"({shown})."
            )
        self._values = {name: _values(space[name], n) for name, n in sizes.items()}
        self._order = np.random.default_rng(seed).permutation(size)

    def __len__(self) -> int:
        return len(self._order)

    def next_point(self, tried: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Give the parameters of the first point not in `tried`; None when there is none left."""
        taken = [tuple(params.get(name) for name in self._values) for params in tried]
        seen = set(map(_key, taken))
        for number in map(int, self._order):
            point = self._point(number)
            if _key(tuple(point.values())) not in seen:
                return point
        return None

    def _point(self, number: int) -> dict[str, Any]:
        point = {}
        for name, values in self._values.items():
            number, place = divmod(number, len(values))
            point[name] = values[place]
        return point


def _key(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((type(value), value) for value in values)  # True is not 1


def _n_values(name: str, distribution: BaseDistribution) -> int:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, FloatDistribution | IntDistribution):
        if distribution.single():
            return 1
        if distribution.step is not None:
            return round((distribution.high - distribution.low) / distribution.step) + 1
        got = f"every number from {distribution.low} to {distribution.high}"
    else:
        got = repr(distribution)
    raise ConfigError(
        f"space.{name}: the sampler grid needs choices, whole numbers or a step, since a grid is "
        f"finite; got {got}. Give {{choices=[…]}} or a step, or take it out with space.{name}=off."
    )


def _values(distribution: BaseDistribution, n: int) -> tuple[Any, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    step = distribution.step or 0  # type: ignore[attr-defined]
    return tuple(min(low + step * place, high) for place in range(n))
