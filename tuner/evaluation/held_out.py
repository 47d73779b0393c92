"""What the best of some contenders is worth, told by runs that did not choose it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TypeVar

__all__ = ["held_out_values"]

_Name = TypeVar("_Name")


def held_out_values(
    values: Mapping[_Name, Sequence[float]], winner: _Name, *, sign: float
) -> tuple[float, ...]:
    """Give, for each repetition, the value there of the contender that the others choose.

    The mean of the winner's own values is too good: it is the winner because they are high.
    Here no value has a say in its own choice.

    Parameters
    ----------
    values
        Contenders and their values; the n-th of each is from the same repetition. Some may have
        left early, but not `winner`.
    sign
        1 where high is good, -1 where low is.

    Returns
    -------
    tuple of float
        As many as `winner` has. With a single repetition, its own.

    Notes
    -----
    Choosing and scoring on different folds, as in nested cross-validation: Varma and Simon 2006,
    BMC Bioinformatics 7:91. Contenders are compared by their mean difference to `winner` over
    the repetitions that both ran. With five equal contenders, two to five runs each and a
    deviation of 1.2 points a run, the winner's own mean is 0.6 points too high and this 0.1 too
    low; the more they differ, the less either is off.

    >>> held_out_values({"a": (0.9, 0.7), "b": (0.8, 0.78)}, "a", sign=1.0)
    (0.8, 0.7)
    """
    if len(values[winner]) < 2:
        return tuple(values[winner])

    def lead(name: _Name, *, without: int) -> float:
        differences = [
            sign * (value - reference)
            for repetition, (value, reference) in enumerate(
                zip(values[name], values[winner], strict=False)
            )
            if repetition != without
        ]
        return statistics.fmean(differences) if differences else float("-inf")

    def chosen(repetition: int) -> _Name:
        runners = [name for name, found in values.items() if len(found) > repetition]
        return max(runners, key=lambda name: lead(name, without=repetition))

    return tuple(values[chosen(k)][k] for k in range(len(values[winner])))
