"""Where a classifier errs: by class, length and confidence, and its worst errors.

Everything is returned as plain JSON-ready values; what is undefined is None. Texts stay raw:
whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.evaluation.bands import quantile_bands
from tuner.evaluation.checks import Labels, Probabilities, check_probabilities
from tuner.evaluation.confusion import by_class, confusion, share
from tuner.evaluation.wilson import wilson
from tuner.metrics import count_classes, macro_f1
from tuner.records import Document

__all__ = [
    "by_confidence",
    "by_length",
    "coverage",
    "slice_report",
    "worst_errors",
]

LENGTH_BANDS = 5
TEXT_CHARACTERS = 200
WORST_ERRORS = 20
CONFIDENCE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_Z_95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution


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
    check_probabilities(labels, probabilities, n_classes=len(classes))
    n = len(labels)
    if len(documents) != n:
        raise ValueError(f"{n} labels and {len(documents)} documents do not fit each other")
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
    n_classes = 1 + int(max(labels.max(), predicted.max()))
    for band in range(int(bands.max()) + 1):
        inside = bands == band
        counts = count_classes(labels[inside], predicted[inside], n_classes=n_classes)
        rows.append(
            {
                "low": int(lengths[inside].min()),
                "high": int(lengths[inside].max()),
                **_accuracy(labels[inside] == predicted[inside]),
                "macro_f1": float(macro_f1(counts)),
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


def _confidences(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    # Rounded, so that a float32 0.9 lies at the threshold 0.9 and not just below it.
    rounded: npt.NDArray[np.float64] = np.round(probabilities.max(axis=1).astype(np.float64), 6)
    return rounded


def _accuracy(right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    n, n_right = len(right), int(right.sum())
    return {
        "n": n,
        "accuracy": share(n_right, n),
        "accuracy_95": None if n == 0 else list(wilson(n_right / n, n, _Z_95)),
    }
