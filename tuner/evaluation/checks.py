"""What every evaluation asks of its arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Labels", "Probabilities", "check_classes", "check_probabilities"]

Labels = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]


def check_classes(labels: Labels, *predicted: Labels, n_classes: int) -> None:
    """Raise `ValueError` unless there are rows, as many predictions, all in [0, `n_classes`)."""
    _check_rows(labels)
    for column in (labels, *predicted):
        if column.shape != labels.shape:
            raise ValueError(
                f"labels {labels.shape} and predictions {column.shape} do not fit each other"
            )
        if column.min() < 0 or column.max() >= n_classes:
            raise ValueError(
                f"class numbers must lie in [0, {n_classes}); got {column.min()} to {column.max()}"
            )


def check_probabilities(
    labels: Labels, probabilities: Probabilities, *, n_classes: int | None = None
) -> None:
    """Raise `ValueError` unless there are rows, and a row of probabilities for each."""
    _check_rows(labels)
    n_columns = probabilities.shape[-1] if n_classes is None else n_classes
    if probabilities.shape != (len(labels), n_columns):
        raise ValueError(
            f"labels {labels.shape} and probabilities {probabilities.shape} do not fit each other"
            + ("" if n_classes is None else f" and {n_classes} classes")
        )


def _check_rows(labels: Labels) -> None:
    if len(labels) == 0:
        raise ValueError("there are no rows to evaluate")
