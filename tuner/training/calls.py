"""How much of the work goes into one compiled call, which a signal has to wait for."""

from __future__ import annotations

__all__ = ["batches_per_call"]

_SECONDS_PER_CALL = 1.0  # aimed at; a call is never to last longer than two


def batches_per_call(seconds_a_batch: float | None, *, unmeasured: int) -> int:
    """Give the batches of a call of about a second, and `unmeasured` where none has been timed.

    >>> batches_per_call(0.2, unmeasured=1), batches_per_call(None, unmeasured=2)
    (5, 2)
    """
    if seconds_a_batch is None:
        return unmeasured
    return max(1, int(_SECONDS_PER_CALL / max(seconds_a_batch, 1e-6)))
