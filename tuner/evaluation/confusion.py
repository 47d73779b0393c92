"""Which class is taken for which, and what that makes of each class's scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.evaluation.checks import Labels
from tuner.metrics import count_classes

__all__ = ["by_class", "confusion", "share"]

MATRIX_CLASSES_MAX = 100
PAIRS_MAX = 50


def by_class(labels: Labels, predicted: Labels, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Score each class, and name the class it is mistaken for most.

    Returns
    -------
    list of dict, one a class, in the order of `classes`
        `class`, `precision` (None where it was never predicted), `recall` (None without
        support), `f1` (None without either), `support` and `n_predicted` in rows, and
        `mistaken_for`: the `class` and `n` of its commonest error, the earlier of equal ones;
        None where it has no error.
    """
    n_classes = len(classes)
    counts = count_classes(labels, predicted, n_classes=n_classes)
    mistaken: dict[int, tuple[int, int]] = {}
    for given, other, n in _error_pairs(labels, predicted, n_classes):
        mistaken.setdefault(given, (other, n))  # pairs come by falling n
    rows = []
    for number, name in enumerate(classes):
        given, said, right = (int(c[number]) for c in (counts.given, counts.said, counts.right))
        error = mistaken.get(number)
        rows.append(
            {
                "class": name,
                "precision": share(right, said),
                "recall": share(right, given),
                "f1": share(2 * right, given + said),
                "support": given,
                "n_predicted": said,
                "mistaken_for": None
                if error is None
                else {"class": classes[error[0]], "n": error[1]},
            }
        )
    return rows


def confusion(labels: Labels, predicted: Labels, classes: Sequence[str]) -> dict[str, Any]:
    """Count which class is taken for which.

    Returns
    -------
    dict
        `classes`; `matrix`, rows are given and columns predicted classes in that order, None
        above 100 classes; `pairs`, the commonest errors, at most 50: `label`, `predicted`, `n`,
        and `share` of the given class's rows.
    """
    n_classes = len(classes)
    matrix = None
    if n_classes <= MATRIX_CLASSES_MAX:
        codes = labels.astype(np.int64) * n_classes + predicted
        matrix = np.bincount(codes, minlength=n_classes**2).reshape(n_classes, -1).tolist()
    n_given = np.bincount(labels, minlength=n_classes)
    return {
        "classes": list(classes),
        "matrix": matrix,
        "pairs": [
            {
                "label": classes[given],
                "predicted": classes[other],
                "n": n,
                "share": n / int(n_given[given]),
            }
            for given, other, n in _error_pairs(labels, predicted, n_classes)[:PAIRS_MAX]
        ],
    }


def _error_pairs(labels: Labels, predicted: Labels, n_classes: int) -> list[tuple[int, int, int]]:
    """Give (given, predicted, n) of every error that occurs, commonest first."""
    wrong = labels != predicted
    codes = labels[wrong].astype(np.int64) * n_classes + predicted[wrong]
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [
        (int(found[place]) // n_classes, int(found[place]) % n_classes, int(counts[place]))
        for place in order
    ]


def share(part: int, whole: int) -> float | None:
    """Divide; None where there is nothing to divide by."""
    return None if whole == 0 else part / whole
