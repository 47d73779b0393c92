"""How far the mean of a few repetitions can be trusted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tuner.evaluation.bootstrap import Interval

__all__ = ["mean_interval"]


def mean_interval(
    values: Sequence[float],
    *,
    level: float = 0.95,
    least: float = -math.inf,
    most: float = math.inf,
) -> Interval | None:
    """Give Student's interval of the mean of repeated runs; None where one run tells no spread.

    It speaks of the variation over seeds (and folds) alone, not over other rows. `least` and
    `most` are what a value can be: few runs that differ give an interval wider than that.
    """
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return None
    mean = statistics.fmean(values)
    half = float(t.ppf(0.5 + level / 2, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    return Interval(max(least, mean - half), min(most, mean + half), level)
