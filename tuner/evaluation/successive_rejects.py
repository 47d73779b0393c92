"""Which contenders get how many repetitions: losers are dropped early, at a cost known before."""

from __future__ import annotations

__all__ = ["repetitions", "runs_needed"]


def repetitions(n_contenders: int, n_seeds: int) -> tuple[int, ...]:
    """Say after how many repetitions each contender leaves, the first to leave first.

    Parameters
    ----------
    n_contenders
        Contenders, at least 1.
    n_seeds
        Repetitions of the last two, at least 1.

    Returns
    -------
    tuple of int, length `n_contenders`
        Rising; the last two are `n_seeds`. After that many repetitions of all who are left, the
        one with the worst mean is dropped.

    Notes
    -----
    Successive rejects: Audibert, Bubeck and Munos 2010, "Best Arm Identification in Multi-Armed
    Bandits", figure 3. Phase j ends after ceil((n - K) / (logbar(K) (K + 1 - j))) draws of each
    arm; with the budget n chosen so that the last two get `n_seeds`, that is
    ceil(2 n_seeds / (K + 1 - j)).

    >>> repetitions(5, 5)
    (2, 3, 4, 5, 5)
    >>> repetitions(1, 5)
    (5,)
    """
    k = n_contenders
    leaving = [min(n_seeds, -(-2 * n_seeds // (k + 1 - phase))) for phase in range(1, k)]
    return (*leaving, n_seeds)


def runs_needed(n_contenders: int, n_seeds: int) -> int:
    """Count the runs of the whole race.

    >>> runs_needed(5, 5)
    19
    """
    return sum(repetitions(n_contenders, n_seeds))
