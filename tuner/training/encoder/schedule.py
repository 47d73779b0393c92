"""How the rate moves over phase two, and which groups an epoch of it opens."""

from __future__ import annotations

import math

__all__ = ["cut_of_epoch", "rate_factor"]


def rate_factor(done: float, *, step: float, warmup: float, schedule: str) -> float:
    """Give the share of the learning rate that a step takes.

    Parameters
    ----------
    done
        Share of the phase's steps before this one, in [0, 1).
    step
        Share of one step, above 0: the first one already moves.
    warmup
        Share over which the rate rises, its last step at the full rate (Devlin et al. 2019,
        appendix A.2: the first 10 000 of 1 000 000 steps; Mosbach et al. 2021, arXiv:2006.04884,
        advise 0.1 for fine-tuning).
    schedule
        What follows: "linear" falls to 0, "cosine" too (Loshchilov and Hutter 2017,
        arXiv:1608.03983, equation 5), "constant" stays.

    >>> rate_factor(0.0, step=0.05, warmup=0.1, schedule="linear")
    0.5
    >>> round(rate_factor(0.55, step=0.05, warmup=0.1, schedule="linear"), 6)
    0.5
    """
    if done < warmup:
        return min(1.0, (done + step) / warmup)
    left = (done - warmup) / (1.0 - warmup)
    if schedule == "linear":
        return 1.0 - left
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * left))
    return 1.0


def cut_of_epoch(epoch: int, *, epochs: int, frozen_depth: int, n_groups: int) -> int:
    """Give the lowest group that trains in an epoch of gradual unfreezing.

    Parameters
    ----------
    epoch
        Of phase two, from 1 to `epochs`.
    frozen_depth
        Groups that stay frozen to the end.
    n_groups
        Groups below the head.

    Notes
    -----
    Howard and Ruder 2018, arXiv:1801.06146, section 3.3, open one group an epoch from the top
    down. We open as many as it takes to have all of them open in the last epoch, since epochs
    are fewer than groups.

    >>> [cut_of_epoch(e, epochs=3, frozen_depth=4, n_groups=13) for e in (1, 2, 3)]
    [10, 7, 4]
    """
    return n_groups - math.ceil(epoch / epochs * (n_groups - frozen_depth))
