"""What predictions are scored by: one entry of `METRICS` is all that a metric takes.

An entry is an objective at once (`--metric`), stands in every result, and gets an interval from
resamples of the rows, since it is computed from counts that may have axes of resamples.
NumPy is loaded by what computes alone, so that `--help` can name the metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Numbers = npt.NDArray[np.integer[Any]]

__all__ = ["METRICS", "ClassCounts", "Metric", "count_classes", "log_losses", "macro_f1"]

_LEAST_PROBABILITY = 1e-15


@dataclass(frozen=True)
class ClassCounts:
    """Rows of each class: with this label, predicted as it, and both; (n_classes, …) each.

    Further axes are resamples of the same rows.
    """

    given: Array
    said: Array
    right: Array

    @cached_property
    def n(self) -> Any:
        """Rows, (…)."""
        return self.given.sum(axis=0)

    @cached_property
    def occurs(self) -> npt.NDArray[np.bool_]:
        """Whether a class is among labels or predictions, (n_classes, …)."""
        return self.given + self.said > 0

    @cached_property
    def f1(self) -> Array:
        """F1 of each class, (n_classes, …); 0 for one that does not occur."""
        return 2.0 * self.right / _or_one(self.given + self.said)


def count_classes(labels: Numbers, predicted: Numbers, *, n_classes: int) -> ClassCounts:
    """Count the rows of each class; class numbers in [0, `n_classes`), (n,) each."""
    import numpy as np

    return ClassCounts(
        *(
            np.bincount(numbers, minlength=n_classes).astype(np.float64)
            for numbers in (labels, predicted, labels[labels == predicted])
        )
    )


def log_losses(labels: Numbers, probabilities: npt.NDArray[np.float32]) -> Array:
    """Give what each row loses, in nats: (n,) labels and (n, n_classes) to (n,)."""
    import numpy as np

    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.clip(chosen, _LEAST_PROBABILITY, 1.0))


@dataclass(frozen=True, slots=True)
class Metric:
    """One score of a set of predictions.

    Parameters
    ----------
    title
        As a table names it.
    of_counts
        Computes it, (n_classes, …) counts to (…) float64; None for the mean of `log_losses`.
    direction
        Which way is better.
    least, most
        Ends of its range.
    weighs_classes_alike
        Whether a class counts the same however many rows it has: then its interval reckons with
        the rows of the small ones.
    """

    title: str
    of_counts: Callable[[ClassCounts], Any] | None
    direction: Literal["maximize", "minimize"] = "maximize"
    least: float = 0.0
    most: float = 1.0
    weighs_classes_alike: bool = False


def _accuracy(counts: ClassCounts) -> Any:
    return counts.right.sum(axis=0) / counts.n


def macro_f1(counts: ClassCounts) -> Any:
    """Average over the classes that occur in labels or predictions, as scikit-learn does."""
    return counts.f1.sum(axis=0) / counts.occurs.sum(axis=0)


def _weighted_f1(counts: ClassCounts) -> Any:
    return (counts.f1 * counts.given).sum(axis=0) / counts.n


def _matthews(counts: ClassCounts) -> Any:
    """Correlate (Gorodkin 2004, Computational Biology and Chemistry 28:367).

    0 where labels or predictions are of one class alone.
    """
    import numpy as np

    n, given, said = counts.n, counts.given, counts.said
    covariance = counts.right.sum(axis=0) * n - (given * said).sum(axis=0)
    spread = np.sqrt((n**2 - (given**2).sum(axis=0)) * (n**2 - (said**2).sum(axis=0)))
    return np.where(spread > 0, covariance / _or_one(spread), 0.0)


def _or_one(values: Array) -> Array:
    import numpy as np

    return np.where(values > 0, values, 1.0)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": Metric("accuracy", _accuracy),
        "macro_f1": Metric("macro-F1", macro_f1, weighs_classes_alike=True),
        "weighted_f1": Metric("weighted F1", _weighted_f1),
        "mcc": Metric("MCC", _matthews, least=-1.0, weighs_classes_alike=True),
        "log_loss": Metric("log loss", None, direction="minimize", most=math.inf),
    }
)
"""Every metric by its name in settings and results."""
