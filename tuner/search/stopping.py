"""When a search has nothing more to gain that could be told from noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuner.records import TrialRecord

__all__ = ["expected_gain", "is_flat", "score_noise"]

AHEAD = 20  # trials looked ahead
COMPLETE_MIN = 20


def expected_gain(values: Sequence[float], ahead: int) -> float:
    """Say how much the best of n values owes, on average, to `ahead` of them.

    Parameters
    ----------
    values
        Objective of the complete trials, larger is better, in any order.
    ahead
        Trials taken away, fewer than there are.

    Returns
    -------
    float
        E[max of all n] - E[max of a random subset of n - ahead], at least 0. More trials gain
        less and less, so the next `ahead` trials of such a search can be expected to bring no
        more than this.

    Notes
    -----
    The maximum of a random subset of size m is the i-th smallest of n with probability
    C(i - 1, m - 1) / C(n, m).

    >>> round(expected_gain([1.0, 2.0, 3.0], 1), 4)
    0.3333
    """
    ordered = sorted(values)
    n, m = len(ordered), len(ordered) - ahead
    if m < 1:
        return math.inf
    expected = sum(
        value * math.comb(rank, m - 1) / math.comb(n, m) for rank, value in enumerate(ordered)
    )
    return max(0.0, ordered[-1] - expected)


def score_noise(value: float, n_rows: int) -> float:
    """Give the standard error of a share measured on `n_rows` rows, sqrt(p (1 - p) / n).

    Exact for accuracy; for F1 and MCC it tells the order of size, which is all that is asked.
    """
    share = min(max(value, 0.0), 1.0)
    return math.sqrt(max(share * (1.0 - share), 1e-4) / n_rows)


def is_flat(trials: Sequence[TrialRecord], *, direction: str, n_rows: int) -> bool:
    """Say whether the next 20 trials can be expected to gain less than the score's noise.

    Both the expected gain of 20 trials in random order and what the last 20 trials have really
    gained must be below the standard error of the best score on the selection rows; at least
    20 trials must be complete. Losses (direction "minimize") have no such error: never flat.
    """
    if direction != "maximize":
        return False
    finished = sorted(
        (t for t in trials if t.state in ("complete", "pruned")), key=lambda t: t.number
    )
    values = [
        t.value for t in finished if t.value is not None and "duplicate_of" not in t.attributes
    ]
    if len(values) < COMPLETE_MIN or len(finished) < COMPLETE_MIN + AHEAD:
        return False
    best = max(values)
    before = [t.value for t in finished[:-AHEAD] if t.value is not None]
    gained = best - max(before, default=-math.inf)
    ahead = min(AHEAD, len(values) - 1)
    return max(gained, expected_gain(values, ahead)) < score_noise(best, n_rows)
