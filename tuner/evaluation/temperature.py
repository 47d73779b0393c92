"""One number that mends a classifier's probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tuner.evaluation.checks import Labels, Probabilities, check_probabilities

__all__ = ["TEMPERATURE_HIGH", "TEMPERATURE_LOW", "apply_temperature", "fit_temperature"]

TEMPERATURE_LOW = 0.1
TEMPERATURE_HIGH = 10.0
_FLAT = 1e-12  # nats; rounding leaves that much where the loss does not change
_PRECISION = 1e-7


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
    check_probabilities(labels, probabilities)
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


def _logarithms(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logarithms: npt.NDArray[np.float64] = np.log(probabilities.astype(np.float64))
    return logarithms


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
