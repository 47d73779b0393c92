"""Whether a classifier's probabilities can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.evaluation.bands import quantile_bands
from tuner.evaluation.checks import Labels, Probabilities, check_probabilities
from tuner.evaluation.temperature import (
    TEMPERATURE_HIGH,
    TEMPERATURE_LOW,
    apply_temperature,
    fit_temperature,
)

__all__ = [
    "calibration_report",
    "ece_if_calibrated",
    "expected_calibration_error",
    "reliability",
]

ROWS_PER_BIN_MIN = 10
DRAWS = 200


def expected_calibration_error(
    labels: Labels, probabilities: Probabilities, *, n_bins: int = 15
) -> float:
    """Measure how far confidence and accuracy lie apart, weighted over bins of confidence.

    Parameters
    ----------
    labels
        Given class numbers, (n,).
    probabilities
        (n, n_classes), rows adding up to 1.
    n_bins
        Bins at most; fewer where they would hold under 10 rows or confidences are equal.

    Returns
    -------
    float
        In [0, 1]; 0 where every bin's mean confidence is its accuracy.

    Raises
    ------
    ValueError
        If there are no rows, or the shapes do not fit each other.

    Notes
    -----
    Guo et al. (2017), arXiv:1706.04599, equation 3, but with bins of about equally many rows
    instead of equal width: most confidences of a good classifier crowd near 1, so equal widths
    leave a few rows in most bins, whose accuracy is noise that only ever adds. Equal mass has
    the smaller bias (Roelofs et al. 2022, arXiv:2012.08668). The bias that is left is what
    `ece_if_calibrated` measures.
    """
    right, confidences = _right_and_confidences(labels, probabilities)
    return _binned_error(right, confidences, _bins(confidences, n_bins))


def reliability(
    labels: Labels, probabilities: Probabilities, *, n_bins: int = 15
) -> list[dict[str, Any]]:
    """Give the bins behind `expected_calibration_error`, to draw a reliability diagram.

    Returns
    -------
    list of dict, least confident first, none of them empty
        `low` and `high`, the lowest and highest confidence in the bin; `n` rows; mean
        `confidence`; `accuracy`.
    """
    right, confidences = _right_and_confidences(labels, probabilities)
    bins = _bins(confidences, n_bins)
    return [
        {
            "low": float(confidences[bins == number].min()),
            "high": float(confidences[bins == number].max()),
            "n": int(np.sum(bins == number)),
            "confidence": float(confidences[bins == number].mean()),
            "accuracy": float(right[bins == number].mean()),
        }
        for number in range(int(bins.max()) + 1)
    ]


def ece_if_calibrated(
    probabilities: Probabilities, *, seed: int, n_bins: int = 15
) -> tuple[float, float]:
    """Give the calibration error that perfectly honest confidences would show by chance.

    With finitely many rows no error is 0. What lies above `high` is not chance alone.

    Returns
    -------
    mean, high : float
        Mean and 95 % quantile of the error when each prediction is right with the probability
        that the model claims.

    Notes
    -----
    Consistency resampling, Bröcker and Smith (2007), doi:10.1175/WAF993.1, with the confidences
    held fixed; 200 draws.
    """
    confidences = probabilities.max(axis=1).astype(np.float64)
    bins = _bins(confidences, n_bins)
    generator = np.random.default_rng(seed)
    errors = [
        _binned_error(generator.random(len(confidences)) < confidences, confidences, bins)
        for _ in range(DRAWS)
    ]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def calibration_report(
    validation: tuple[Labels, Probabilities],
    parts: Mapping[str, tuple[Labels, Probabilities]],
    *,
    seed: int,
) -> dict[str, Any]:
    """Fit the temperature on validation and measure what it does on the other parts.

    Parameters
    ----------
    validation
        Labels (n,) and probabilities (n, n_classes).
    parts
        The same of each part that is measured, by its name.
    seed
        Of the draws of `ece_if_calibrated`.

    Returns
    -------
    dict
        `temperature`; `at_bound`, whether the search ended at 0.1 or 10, so that the true best
        lies beyond; `n_validation`, the rows it was fitted on; `parts`: for each its `n`, and
        `before` and `after` scaling: `ece`, `ece_if_calibrated` and `ece_if_calibrated_95`
        (mean and 95 % quantile by chance), `log_loss` in nats, and `reliability`.
    """
    temperature = fit_temperature(*validation)
    return {
        "temperature": temperature,
        "at_bound": temperature in (TEMPERATURE_LOW, TEMPERATURE_HIGH),
        "n_validation": len(validation[0]),
        "parts": {
            name: {
                "n": len(labels),
                "before": _measure(labels, probabilities, seed),
                "after": _measure(labels, apply_temperature(probabilities, temperature), seed),
            }
            for name, (labels, probabilities) in parts.items()
        },
    }


def _measure(labels: Labels, probabilities: Probabilities, seed: int) -> dict[str, Any]:
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    mean, high = ece_if_calibrated(probabilities, seed=seed)
    return {
        "ece": expected_calibration_error(labels, probabilities),
        "ece_if_calibrated": mean,
        "ece_if_calibrated_95": high,
        # Clipped as `tuner.training.score` does.
        "log_loss": float(-np.mean(np.log(np.clip(chosen, 1e-15, 1.0)))),
        "reliability": reliability(labels, probabilities),
    }


def _right_and_confidences(
    labels: Labels, probabilities: Probabilities
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    check_probabilities(labels, probabilities)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return right, probabilities.max(axis=1).astype(np.float64)


def _bins(confidences: npt.NDArray[np.float64], n_bins: int) -> npt.NDArray[np.intp]:
    return quantile_bands(confidences, max(1, min(n_bins, len(confidences) // ROWS_PER_BIN_MIN)))


def _binned_error(
    right: npt.NDArray[Any],
    confidences: npt.NDArray[np.float64],
    bins: npt.NDArray[np.intp],
) -> float:
    # n_b / n * |accuracy_b - confidence_b| is |sum over b of (right - confidence)| / n.
    gaps = np.bincount(bins, weights=right - confidences)
    return float(np.abs(gaps).sum() / len(confidences))
