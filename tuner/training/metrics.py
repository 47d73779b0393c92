"""Scores of predictions; definitions are scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tuner.records import Scores

__all__ = ["score"]


def score(
    labels: npt.NDArray[np.int32],
    predicted: npt.NDArray[np.int32],
    classes: Sequence[str],
    *,
    probabilities: npt.NDArray[np.float32] | None = None,
) -> Scores:
    """Score predictions.

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
    n_classes = len(classes)
    # Everything follows from the confusion matrix: scikit-learn's own functions take longer to
    # score a part than a small network takes to predict it.
    confusion = np.bincount(
        labels.astype(np.int64) * n_classes + predicted, minlength=n_classes**2
    ).reshape(n_classes, n_classes)
    right = confusion.diagonal()
    support = confusion.sum(axis=1)
    chosen = confusion.sum(axis=0)
    precision = right / np.maximum(chosen, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2.0 * right / np.maximum(support + chosen, 1)
    present = np.flatnonzero(support + chosen)
    return Scores(
        n=len(labels),
        accuracy=float(right.sum() / len(labels)),
        macro_f1=float(np.mean(f1[present])),
        weighted_f1=float(np.average(f1, weights=support)),
        mcc=_matthews(right, support, chosen),
        log_loss=None if probabilities is None else _log_loss(labels, probabilities),
        per_class={
            classes[number]: {
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(f1[number]),
                "support": int(support[number]),
            }
            for number in present.tolist()
        },
    )


def _matthews(
    right: npt.NDArray[np.int64], support: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> float:
    """Give the correlation of Gorodkin 2004; 0 where one side has one class alone."""
    n = float(support.sum())
    spread = (n**2 - float(support @ support)) * (n**2 - float(chosen @ chosen))
    if spread == 0.0:
        return 0.0
    return float((n * float(right.sum()) - float(support @ chosen)) / np.sqrt(spread))


def _log_loss(labels: npt.NDArray[np.int32], probabilities: npt.NDArray[np.float32]) -> float:
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.clip(chosen, 1e-15, 1.0))))
