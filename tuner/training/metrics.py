"""Scores of predictions; definitions are scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tuner.metrics import METRICS, count_classes, log_losses
from tuner.records import Scores

__all__ = ["score"]


def score(
    labels: npt.NDArray[np.int32],
    predicted: npt.NDArray[np.int32],
    classes: Sequence[str],
    *,
    probabilities: npt.NDArray[np.float32] | None = None,
) -> Scores:
    """Score predictions by every metric.

    Parameters
    ----------
    labels, predicted
        Class numbers, (n,).
    classes
        Class names; F1 averages run over the classes that occur in `labels` or `predicted`.
    probabilities
        (n, n_classes), rows adding up to 1; without them `log_loss` is None.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    if len(labels) == 0:
        raise ValueError("no rows to score")
    # Everything follows from the counts of the classes: scikit-learn's own functions take longer
    # to score a part than a small network takes to predict it.
    counts = count_classes(labels, predicted, n_classes=len(classes))
    loss = None
    if probabilities is not None:
        loss = float(np.mean(log_losses(labels, probabilities)))
    precision = counts.right / np.maximum(counts.said, 1)
    recall = counts.right / np.maximum(counts.given, 1)
    return Scores(
        n=len(labels),
        values={
            name: loss if metric.of_counts is None else float(metric.of_counts(counts))
            for name, metric in METRICS.items()
        },
        per_class={
            classes[number]: {
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(counts.f1[number]),
                "support": int(counts.given[number]),
            }
            for number in np.flatnonzero(counts.occurs).tolist()
        },
    )
