"""Where a classifier errs: by class, length and confidence, and its worst errors.

Everything is returned as plain JSON-ready values; what is undefined is None. Texts stay raw:
whoever shows them escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.records import Document

__all__ = [
    "by_class",
    "by_confidence",
    "by_length",
    "confusion",
    "coverage",
    "quantile_bands",
    "slice_report",
    "worst_errors",
]

LENGTH_BANDS = 5
MATRIX_CLASSES_MAX = 100
PAIRS_MAX = 50
TEXT_CHARACTERS = 200
WORST_ERRORS = 20
CONFIDENCE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_Z_95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]


def slice_report(
    labels: Labels,
    probabilities: Probabilities,
    documents: Sequence[Document],
    classes: Sequence[str],
    *,
    n_worst: int = WORST_ERRORS,
) -> dict[str, Any]:
    """Describe one part's predictions slice by slice.

    Parameters
    ----------
    labels
        Given class numbers, (n,).
    probabilities
        (n, n_classes), rows adding up to 1; 0 in the column of a class that the model does not
        know.
    documents
        The n texts, in the same order.
    classes
        Class names, by number.
    n_worst
        Rows under `worst_errors`.

    Returns
    -------
    dict
        `n`, `accuracy`, `by_class`, `by_length`, `by_confidence`, `coverage`, `confusion`,
        `worst_errors`: see the functions of these names.

    Raises
    ------
    ValueError
        If there are no rows, or the shapes do not fit each other.
    """
    n = len(labels)
    if n == 0:
        raise ValueError("no rows to slice")
    if probabilities.shape != (n, len(classes)) or len(documents) != n:
        raise ValueError(
            f"labels {labels.shape}, probabilities {probabilities.shape}, {len(documents)} "
            f"documents and {len(classes)} classes do not fit each other"
        )
    predicted = probabilities.argmax(axis=1)
    confidences = _confidences(probabilities)
    return {
        "n": n,
        "accuracy": float(np.mean(labels == predicted)),
        "by_class": by_class(labels, predicted, classes),
        "by_length": by_length(labels, predicted, [document.text for document in documents]),
        "by_confidence": by_confidence(labels == predicted, confidences),
        "coverage": coverage(labels == predicted, confidences),
        "confusion": confusion(labels, predicted, classes),
        "worst_errors": worst_errors(labels, probabilities, documents, classes, n_rows=n_worst),
    }


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
    n_given, n_predicted, n_right = _counts(labels, predicted, n_classes)
    mistaken: dict[int, tuple[int, int]] = {}
    for given, other, n in _error_pairs(labels, predicted, n_classes):
        mistaken.setdefault(given, (other, n))  # pairs come by falling n
    rows = []
    for number, name in enumerate(classes):
        given, said, right = (int(c[number]) for c in (n_given, n_predicted, n_right))
        error = mistaken.get(number)
        rows.append(
            {
                "class": name,
                "precision": _share(right, said),
                "recall": _share(right, given),
                "f1": _share(2 * right, given + said),
                "support": given,
                "n_predicted": said,
                "mistaken_for": None
                if error is None
                else {"class": classes[error[0]], "n": error[1]},
            }
        )
    return rows


def by_length(labels: Labels, predicted: Labels, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Score short and long texts apart, in at most five bands of about equally many rows.

    Returns
    -------
    list of dict, shortest first, none of them empty
        `low` and `high`, the shortest and longest text in characters, both included; `n`,
        `accuracy`, `accuracy_95` (Wilson interval), and `macro_f1` over the classes that occur
        in the band.
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    bands = quantile_bands(lengths, LENGTH_BANDS)
    rows = []
    for band in range(int(bands.max()) + 1):
        inside = bands == band
        rows.append(
            {
                "low": int(lengths[inside].min()),
                "high": int(lengths[inside].max()),
                **_accuracy(labels[inside] == predicted[inside]),
                "macro_f1": _macro_f1(labels[inside], predicted[inside]),
            }
        )
    return rows


def by_confidence(
    right: npt.NDArray[np.bool_], confidences: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Give the accuracy in bands of the probability of the predicted class.

    Returns
    -------
    list of dict, least confident first, none of them empty
        `low` (included) and `high` (excluded, but for 1), `n`, `accuracy`, `accuracy_95`
        (Wilson interval).
    """
    bounds = (0.0, *CONFIDENCE_EDGES, 1.0)
    bands = np.searchsorted(np.array(CONFIDENCE_EDGES), confidences, side="right")
    return [
        {"low": bounds[band], "high": bounds[band + 1], **_accuracy(right[bands == band])}
        for band in range(len(bounds) - 1)
        if np.any(bands == band)
    ]


def coverage(
    right: npt.NDArray[np.bool_], confidences: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Say how many rows are left, and how accurate, when unsure ones go to a person.

    Returns
    -------
    list of dict, one a threshold, rising
        `threshold`; `n` rows at least that confident; `coverage`, their share; `accuracy` and
        `accuracy_95` among them, None where there are none.

    Notes
    -----
    Selective classification: Geifman and El-Yaniv (2017), arXiv:1705.08500, section 2.
    """
    rows = []
    for threshold in CONFIDENCE_EDGES:
        kept = confidences >= threshold
        rows.append(
            {
                "threshold": threshold,
                "coverage": float(np.mean(kept)),
                **_accuracy(right[kept]),
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


def worst_errors(
    labels: Labels,
    probabilities: Probabilities,
    documents: Sequence[Document],
    classes: Sequence[str],
    *,
    n_rows: int = WORST_ERRORS,
) -> list[dict[str, Any]]:
    """Show the most confidently wrong rows: a hard text, a wrong label, or a real weakness.

    Returns
    -------
    list of dict, most confident first, the earlier of equal ones
        `text` (raw, its first 200 characters), `n_characters` of the whole text, `label` (the
        given one), `predicted`, `confidence` (in `predicted`), `label_probability`, `source`
        and `line`.
    """
    predicted = probabilities.argmax(axis=1)
    confidences = probabilities.max(axis=1).astype(np.float64)
    wrong = np.flatnonzero(labels != predicted)
    order = wrong[np.argsort(-confidences[wrong], kind="stable")][:n_rows]
    return [
        {
            "text": documents[row].text[:TEXT_CHARACTERS],
            "n_characters": len(documents[row].text),
            "label": classes[int(labels[row])],
            "predicted": classes[int(predicted[row])],
            "confidence": round(float(confidences[row]), 6),
            "label_probability": round(float(probabilities[row, labels[row]]), 6),
            "source": documents[row].source,
            "line": documents[row].line,
        }
        for row in order
    ]


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


def _confidences(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    # Rounded, so that a float32 0.9 lies at the threshold 0.9 and not just below it.
    rounded: npt.NDArray[np.float64] = np.round(probabilities.max(axis=1).astype(np.float64), 6)
    return rounded


def _counts(
    labels: Labels, predicted: Labels, n_classes: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Count rows per class: given, predicted, and both."""
    return (
        np.bincount(labels, minlength=n_classes),
        np.bincount(predicted, minlength=n_classes),
        np.bincount(labels[labels == predicted], minlength=n_classes),
    )


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


def _macro_f1(labels: Labels, predicted: Labels) -> float:
    """Average F1 over the classes that occur, as `tuner.training.score` does."""
    n_classes = int(max(labels.max(), predicted.max())) + 1
    n_given, n_predicted, n_right = _counts(labels, predicted, n_classes)
    occurs = n_given + n_predicted > 0
    return float(np.mean(2 * n_right[occurs] / (n_given + n_predicted)[occurs]))


def _accuracy(right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    n, n_right = len(right), int(right.sum())
    return {
        "n": n,
        "accuracy": _share(n_right, n),
        "accuracy_95": None if n == 0 else _wilson_interval(n_right, n),
    }


def _wilson_interval(n_right: int, n: int) -> list[float]:
    """Give the 95 % score interval of a share (Wilson 1927); it stays inside 0 to 1."""
    share, z2 = n_right / n, _Z_95**2
    middle = share + z2 / (2 * n)
    half = _Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + z2 / n) for sign in (-1, 1))
    return [max(0.0, low), min(1.0, high)]


def _share(part: int, whole: int) -> float | None:
    return None if whole == 0 else part / whole
