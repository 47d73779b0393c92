"""Whether a classifier's probabilities can be believed, and one number that mends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.evaluation.slices import quantile_bands

__all__ = [
    "apply_temperature",
    "calibration_report",
    "ece_if_calibrated",
    "expected_calibration_error",
    "fit_temperature",
    "reliability",
]

TEMPERATURE_LOW = 0.1
TEMPERATURE_HIGH = 10.0
ROWS_PER_BIN_MIN = 10
DRAWS = 200
_FLAT = 1e-12  # nats; rounding leaves that much where the loss does not change
_PRECISION = 1e-7

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]


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


def fit_temperature(labels: Labels, probabilities: Probabilities) -> float:
    """Find the temperature that makes the probabilities fit best; to be done on validation.

    Parameters
    ----------
    labels
        Given class numbers, (n,).
    probabilities
        (n, n_classes), rows adding up to 1.

    Returns
    -------
    float
        In [0.1, 10]; above 1 the model was too sure. Predictions that are all right push it
        to 0.1, since no finite value is best. 1.0 where no temperature is better than none: one
        class, uniform or hard 0/1 probabilities.

    Raises
    ------
    ValueError
        If there are no rows, or the shapes do not fit each other.

    Notes
    -----
    Guo et al. (2017), arXiv:1706.04599, section 4.2: minimises the log loss. Logarithms of
    probabilities are the logits up to a constant a row, which softmax ignores. The loss is
    convex in 1 / temperature, so its slope changes sign once, and halving the interval finds
    where. A row whose label has probability 0 is left out: no temperature changes it.
    """
    _right_and_confidences(labels, probabilities)
    rows = np.flatnonzero(probabilities[np.arange(len(labels)), labels] > 0)
    if len(rows) == 0:
        return 1.0
    logits = _logarithms(probabilities[rows])
    label_logits = logits[np.arange(len(rows)), labels[rows]]
    finite = np.where(np.isneginf(logits), 0.0, logits)  # of no weight in the mean below

    def slope(temperature: float) -> float:
        """Give the loss's derivative with respect to 1 / temperature."""
        mean_logits = (_softmax(logits / temperature) * finite).sum(axis=1)
        return float(np.mean(mean_logits - label_logits))

    if abs(slope(1.0)) < _FLAT:
        return 1.0
    if slope(TEMPERATURE_LOW) < 0:
        return TEMPERATURE_LOW
    if slope(TEMPERATURE_HIGH) > 0:
        return TEMPERATURE_HIGH
    low, high = TEMPERATURE_LOW, TEMPERATURE_HIGH
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) < 0 else (middle, high)
    return (low + high) / 2


def apply_temperature(probabilities: Probabilities, temperature: float) -> npt.NDArray[np.float64]:
    """Soften (above 1) or sharpen (below 1) probabilities; no prediction changes.

    Parameters
    ----------
    probabilities
        (n, n_classes), rows adding up to 1.
    temperature
        Above 0; 1 changes nothing.

    Returns
    -------
    array of float, (n, n_classes)
        softmax(log p / temperature); what was 0 stays 0.

    Raises
    ------
    ValueError
        If `temperature` is not above 0.

    >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; got {temperature!r}")
    return _softmax(_logarithms(probabilities) / temperature)


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
    if len(labels) == 0:
        raise ValueError("no rows to calibrate")
    if probabilities.ndim != 2 or len(probabilities) != len(labels):
        raise ValueError(
            f"labels {labels.shape} and probabilities {probabilities.shape} do not fit each other"
        )
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


def _logarithms(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logarithms: npt.NDArray[np.float64] = np.log(probabilities.astype(np.float64))
    return logarithms


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
