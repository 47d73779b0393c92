"""A learning rate for every layer group."""

from __future__ import annotations

from tuner.errors import ConfigError

__all__ = ["discriminative_learning_rates"]


def discriminative_learning_rates(
    head: float, *, decay: float, n_groups: int
) -> tuple[float, ...]:
    """Give each layer group its own learning rate, smallest next to the input.

    Parameters
    ----------
    head
        Learning rate of the last group, the head; above 0.
    decay
        Ratio between neighbouring groups, at least 1. With 1 all rates are equal.
    n_groups
        Number of layer groups, at least 1, counted from embedding to head.

    Returns
    -------
    tuple of float, length `n_groups`
        Rates in forward order; the last one is `head`.

    Raises
    ------
    ConfigError
        If `decay` is below 1.

    Notes
    -----
    Howard and Ruder (2018), arXiv:1801.06146, section 3.2, who use decay 2.6.

    >>> discriminative_learning_rates(0.4, decay=2.0, n_groups=3)
    (0.1, 0.2, 0.4)
    """
    if decay < 1:
        raise ConfigError(
            "training.layer_decay must be at least 1 so that no group learns faster than the "
            f"head; got {decay!r}."
        )
    return tuple(head / decay**distance for distance in reversed(range(n_groups)))
