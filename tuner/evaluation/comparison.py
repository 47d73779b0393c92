"""Paired comparison of the winner with each other model on the same test rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.evaluation.bootstrap import Cells, Interval, cells_of, group, quantile

__all__ = ["Comparison", "Difference", "compare"]

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """How much one score of the winner is above that of another model.

    `value` is winner minus other, in [-1, 1]; `p` is two-sided, `p_adjusted` is corrected for
    the number of comparisons (Holm). `only_winner` and `only_other` are the rows that one model
    alone has right; None where the test does not rest on them.
    """

    value: float
    interval: Interval
    p: float
    p_adjusted: float
    only_winner: int | None = None
    only_other: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data."""
        found: dict[str, Any] = {
            "value": self.value,
            "interval": self.interval.as_json(),
            "p": self.p,
            "p_adjusted": self.p_adjusted,
        }
        if self.only_winner is not None and self.only_other is not None:
            found |= {"only_winner": self.only_winner, "only_other": self.only_other}
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """The winner beside one other model on the same `n` test rows."""

    other: str
    n: int
    accuracy: Difference
    macro_f1: Difference

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data."""
        return {
            "other": self.other,
            "n": self.n,
            "accuracy": self.accuracy.as_json(),
            "macro_f1": self.macro_f1.as_json(),
        }


def compare(
    labels: npt.NDArray[np.int32],
    winner: npt.NDArray[np.int32],
    others: Mapping[str, npt.NDArray[np.int32]],
    *,
    n_classes: int,
    seed: int,
    n_resamples: int = 2000,
) -> tuple[Comparison, ...]:
    """Compare the winner with each other model, row by row.

    Parameters
    ----------
    labels, winner
        Labels and the winner's predictions: class numbers in [0, `n_classes`), (n,) int32.
    others
        Names to predictions for the same rows.
    seed
        The same seed gives the same numbers. What is said of one model apart from `p_adjusted`
        does not depend on which others stand beside it.
    n_resamples
        Resamples for the interval, and as many for the test, of macro-F1; at least 2.

    Returns
    -------
    tuple of Comparison
        One for each of `others`, in its order, with 95 % intervals.

    Raises
    ------
    ValueError
        If there are no rows, the lengths differ, or a number is out of its range.

    Notes
    -----
    Accuracy: McNemar's exact test, which keeps its level for any number of rows. The mid-p
    variant (Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodol. 13:91) has a little more
    power but only kept it in their trials; here a false win is the worse error. The interval is
    Tango's score interval (1998, Statistics in Medicine 17:891, equation 3), which has a width
    even where the models agree on every row.

    Macro-F1: the interval is the difference less its bias, plus and minus 1.96 standard
    deviations, both from the ordinary paired bootstrap of rows (Efron and Tibshirani 1993,
    section 10). It is never narrower than Tango's interval of two models that agree on every
    row, with the effective number of rows of a macro average. `p` is the larger of two: the one
    that belongs to this interval, so that the two never contradict each other, and that of
    approximate randomisation, which swaps the two models' predictions row by row (Yeh 2000,
    arXiv:cs/0008005; counted as in Phipson and Smyth 2010, SAGMB 9:39) and keeps its level when
    the models differ on a handful of rows. Where only the latter finds nothing, as when a class
    of one test row makes the difference, the interval takes the deviation that belongs to its p.
    A paired bootstrap within the true classes with
    percentiles was measured too: it called 5 to 10 % of equal models different where 5 % is the
    limit, most with 77 classes (`benchmarks/interval_coverage.py`).

    Several comparisons: Holm (1979, Scand. J. Statistics 6:65), for each score apart.
    """
    if n_resamples < 2:
        raise ValueError(f"n_resamples must be at least 2 to show any spread; got {n_resamples}.")
    accuracy, macro_f1 = [], []
    for predicted in others.values():
        cells = group(labels, winner, predicted, n_classes=n_classes)
        accuracy.append(_accuracy(labels, winner, predicted))
        macro_f1.append(_macro_f1(cells, n_classes, seed, n_resamples))
    return tuple(
        Comparison(other=name, n=len(labels), accuracy=first, macro_f1=second)
        for name, first, second in zip(others, _holm(accuracy), _holm(macro_f1), strict=True)
    )


def _accuracy(
    labels: npt.NDArray[np.int32],
    winner: npt.NDArray[np.int32],
    predicted: npt.NDArray[np.int32],
) -> Difference:
    from scipy.special import bdtr

    right, other_right = winner == labels, predicted == labels
    only_winner = int(np.sum(right & ~other_right))
    only_other = int(np.sum(other_right & ~right))
    n, differing = len(labels), only_winner + only_other
    # Twice the binomial tail; 1 where both counts are equal.
    p = min(1.0, 2 * float(bdtr(min(only_winner, only_other), differing, 0.5)))
    interval = Interval(
        -_tango_upper(only_other, only_winner, n), _tango_upper(only_winner, only_other, n), _LEVEL
    )
    return Difference((only_winner - only_other) / n, interval, p, p, only_winner, only_other)


def _tango_upper(first: int, second: int, n: int) -> float:
    """Give the largest difference that the score test does not reject; by bisection."""
    z = quantile(_LEVEL)

    def is_kept(difference: float) -> bool:
        a = 2 * n
        b = (2 * n - first + second) * difference - first - second
        c = -second * difference * (1 - difference)
        share = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = n * (2 * share + difference * (1 - difference))
        return (first - second - n * difference) ** 2 <= z**2 * variance

    low, high = (first - second) / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_kept(middle) else (low, middle)
    return high


def _macro_f1(cells: Cells, n_classes: int, seed: int, n_resamples: int) -> Difference:
    rng = np.random.default_rng(seed)
    value = float(_differences(cells, cells.counts[np.newaxis])[0])
    drawn = np.concatenate(
        [_differences(cells, counts) for counts in cells.resamples(rng, n_resamples)]
    )
    z = quantile(_LEVEL)
    rows = sqrt(float(cells.counts.sum()) * cells.n_balanced())
    deviation = max(float(drawn.std(ddof=1)), z / (rows + z**2))
    corrected = 2 * value - float(drawn.mean())
    swapped = np.concatenate(list(_swapped(cells, n_classes, rng, n_resamples)))
    # The tolerance lets equal differences that were added up in another order count as equal.
    n_as_large = int(np.sum(np.abs(swapped) >= abs(value) - 1e-12))
    p_swapped = (1 + n_as_large) / (1 + n_resamples)
    p_interval = erfc(abs(corrected) / deviation / sqrt(2))
    if p_interval < 1 - _LEVEL <= p_swapped:
        deviation = _deviation_for(abs(corrected), p_swapped)
    interval = Interval(
        max(-1.0, min(corrected - z * deviation, value)),
        min(1.0, max(corrected + z * deviation, value)),
        _LEVEL,
    )
    p = max(p_interval, p_swapped)
    return Difference(value, interval, p, p)


def _deviation_for(difference: float, p: float) -> float:
    """Give the standard deviation with which a difference above 0 has this p; 1 at most."""
    return difference / max(difference, quantile(1 - p) if p < 1 else 0.0)


def _differences(cells: Cells, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return cells.macro_f1(counts, 0) - cells.macro_f1(counts, 1)


def _swapped(
    cells: Cells, n_classes: int, rng: np.random.Generator, n_resamples: int
) -> Iterator[npt.NDArray[np.float64]]:
    """Give the differences after a fair coin per row has swapped the two predictions."""
    label, first, second = (_classes(adding) for adding in (cells.labels, *cells.predicted))
    both = cells_of(
        [np.r_[label, label], np.r_[first, second], np.r_[second, first]],
        np.r_[cells.counts, cells.counts],
        n_classes,
    )
    for size in both.chunks(n_resamples):
        moved = rng.binomial(cells.counts, 0.5, size=(size, len(cells.counts)))
        yield _differences(both, np.hstack([cells.counts - moved, moved]))


def _classes(adding: Any) -> npt.NDArray[np.int64]:
    """Read the class of each cell from a matrix that adds cells up by class."""
    return np.asarray(adding.tocsc().indices, np.int64)


def _holm(differences: Sequence[Difference]) -> list[Difference]:
    """Correct the p values: the k-th smallest of m times m - k + 1, never falling, at most 1."""
    adjusted = [1.0] * len(differences)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(differences)), key=lambda i: differences[i].p)):
        largest = max(largest, min(1.0, (len(differences) - rank) * differences[place].p))
        adjusted[place] = largest
    return [
        Difference(
            found.value, found.interval, found.p, corrected, found.only_winner, found.only_other
        )
        for found, corrected in zip(differences, adjusted, strict=True)
    ]
