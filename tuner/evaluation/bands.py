"""Bands of about equally many values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["quantile_bands"]


def quantile_bands(values: npt.NDArray[Any], n_bands: int) -> npt.NDArray[np.intp]:
    """Cut values into bands of about equally many; equal values share a band.

    Parameters
    ----------
    values
        Numbers, (n,), at least one.
    n_bands
        Bands at most; there are fewer where many values are equal.

    Returns
    -------
    array of int, (n,)
        Band of each value, from 0 for the lowest ones; no band is empty.

    >>> quantile_bands(np.array([3, 1, 2, 4, 9, 9]), 3).tolist()
    [1, 0, 0, 1, 2, 2]
    """
    shares = np.arange(1, n_bands) / n_bands
    edges = np.unique(np.quantile(values, shares, method="inverted_cdf"))
    places = np.searchsorted(edges, values, side="left")
    return np.unique(places, return_inverse=True)[1].reshape(-1)
