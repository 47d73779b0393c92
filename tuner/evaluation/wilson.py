"""The score interval of a share."""

from __future__ import annotations

from math import sqrt

__all__ = ["wilson"]


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Give Wilson's interval of a share in [0, 1] of `n` rows; Brown et al. 2001, equation 4."""
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)
