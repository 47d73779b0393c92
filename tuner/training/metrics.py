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
    from sklearn.metrics import matthews_corrcoef, precision_recall_fscore_support

    if len(labels) == 0:
        raise ValueError("no rows to score")
    present = np.union1d(labels, predicted)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=present, zero_division=0
    )
    return Scores(
        n=len(labels),
        accuracy=float(np.mean(labels == predicted)),
        macro_f1=float(np.mean(f1)),
        weighted_f1=float(np.average(f1, weights=support)),
        # Of one class alone there is no correlation; scikit-learn says 0 too, with a warning.
        mcc=float(matthews_corrcoef(labels, predicted)) if len(present) > 1 else 0.0,
        log_loss=None if probabilities is None else _log_loss(labels, probabilities),
        per_class={
            classes[int(number)]: {
                "precision": float(precision[place]),
                "recall": float(recall[place]),
                "f1": float(f1[place]),
                "support": int(support[place]),
            }
            for place, number in enumerate(present)
        },
    )


def _log_loss(labels: npt.NDArray[np.int32], probabilities: npt.NDArray[np.float32]) -> float:
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.clip(chosen, 1e-15, 1.0))))
