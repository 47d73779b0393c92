"""Whether two ready-made files hold the same kind of texts, in the same shares of classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuner.doctor.label_noise import deal_folds, word_features

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ShareDrift", "TextDrift", "class_share_drift", "text_drift"]

ROWS_MIN = 30
FOLDS = 5
AUC_MIN = 0.55
P_MAX, DISTANCE_MIN = 0.01, 0.05
N_TOKENS = 4
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class TextDrift:
    """How well a linear model tells two files apart by their texts.

    `auc` is out of fold, 0.5 where it cannot; `low` and `high` are its 95 % interval. The tokens
    are those that stand more often in the one file, the most telling first.
    """

    auc: float
    low: float
    high: float
    first_tokens: tuple[str, ...]
    second_tokens: tuple[str, ...]

    @property
    def is_notable(self) -> bool:
        """Whether even the lower end of the interval is above 0.55."""
        return self.low > AUC_MIN


@dataclass(frozen=True, slots=True)
class ShareDrift:
    """How far the class shares of two files are apart.

    `distance` is the share of rows that would have to change class (total variation, 0 to 1);
    `label` is the class whose share differs most, `first` and `second` its shares.
    """

    p_value: float
    distance: float
    label: str
    first: float
    second: float

    @property
    def is_notable(self) -> bool:
        """Whether it is neither chance (p < 0.01) nor trifling (a distance of 5 % or more)."""
        return self.p_value < P_MAX and self.distance >= DISTANCE_MIN


def text_drift(
    first: Sequence[Sequence[str]],
    second: Sequence[Sequence[str]],
    groups: Sequence[int],
    *,
    seed: int,
) -> TextDrift | None:
    """Measure how well a linear model tells the texts of two files apart.

    Parameters
    ----------
    first, second
        Token lists of the two files.
    groups
        Duplicate group of each row, those of `first` before those of `second`.
    seed
        Deals the folds and orders the solver's steps.

    Returns
    -------
    TextDrift or None
        None where a file has fewer than 30 rows, which can tell nothing.

    Notes
    -----
    A classifier two-sample test: Lopez-Paz and Oquab (2017), arXiv:1610.06545. The interval is
    DeLong, DeLong and Clarke-Pearson's (1988), Biometrics 44, on the out-of-fold ranks.
    """
    if min(len(first), len(second)) < ROWS_MIN:
        return None
    from sklearn.linear_model import SGDClassifier

    documents = [*first, *second]
    is_second = np.repeat([0, 1], [len(first), len(second)])
    folds = deal_folds([str(side) for side in is_second], groups, n_folds=FOLDS, seed=seed)
    features = word_features(documents)
    ranks = np.zeros(len(documents))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(inside) == 0 or len(np.unique(is_second[outside])) < 2:
            continue
        model = SGDClassifier(
            loss="log_loss", alpha=1e-4, class_weight="balanced", max_iter=10, tol=None,
            random_state=seed,
        )  # fmt: skip
        margins = model.fit(features[outside], is_second[outside]).decision_function(
            features[inside]
        )
        # Ranks within the fold: margins of different models are not on one scale.
        ranks[inside] = (margins.argsort().argsort() + 0.5) / len(inside)
    auc, deviation = _delong(ranks[is_second == 0], ranks[is_second == 1])
    first_tokens, second_tokens = _telling_tokens(first, second)
    return TextDrift(
        auc,
        max(0.0, auc - _Z95 * deviation),
        min(1.0, auc + _Z95 * deviation),
        first_tokens,
        second_tokens,
    )


def class_share_drift(first: Sequence[str], second: Sequence[str]) -> ShareDrift | None:
    """Compare the class shares of two files by Pearson's chi-squared test.

    Returns
    -------
    ShareDrift or None
        None where a file has fewer than 30 rows, or there is one class only.

    >>> drift = class_share_drift(["a", "b"] * 50, ["a"] * 90 + ["b"] * 10)
    >>> drift.label, drift.first, drift.second, round(drift.distance, 2), drift.is_notable
    ('a', 0.5, 0.9, 0.4, True)
    """
    from scipy.stats import chi2_contingency

    names = sorted({*first, *second})
    if len(names) < 2 or min(len(first), len(second)) < ROWS_MIN:
        return None
    sides = [Counter(first), Counter(second)]
    counts = np.array([[side[name] for name in names] for side in sides])
    p_value = float(chi2_contingency(counts, correction=False).pvalue)
    shares = counts / counts.sum(axis=1, keepdims=True)
    apart = np.abs(shares[0] - shares[1])
    widest = int(apart.argmax())
    return ShareDrift(
        p_value,
        float(apart.sum() / 2),
        names[widest],
        float(shares[0, widest]),
        float(shares[1, widest]),
    )


def _delong(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Give the AUC of `high` over `low` and its standard deviation."""
    above = _share_below(low, high)
    below = 1 - _share_below(high, low)
    variance = above.var(ddof=1) / len(high) + below.var(ddof=1) / len(low)
    return float(above.mean()), float(np.sqrt(variance))


def _share_below(
    sample: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    ordered = np.sort(sample)
    left, right = (
        np.searchsorted(ordered, values, "left"),
        np.searchsorted(ordered, values, "right"),
    )
    return np.asarray((left + right) / (2 * len(sample)), dtype=np.float64)


def _telling_tokens(
    first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the tokens whose shares of rows differ most, as z of two proportions."""
    a = Counter(token for tokens in first for token in set(tokens))
    b = Counter(token for tokens in second for token in set(tokens))
    n, m = len(first), len(second)

    def z(token: str) -> float:
        share = (a[token] + b[token]) / (n + m)
        spread = np.sqrt(share * (1 - share) * (1 / n + 1 / m))
        return float((b[token] / m - a[token] / n) / spread) if spread > 0 else 0.0

    values = {token: z(token) for token in {*a, *b}}
    ordered = sorted(values, key=lambda token: (values[token], token))
    return (
        tuple(token for token in ordered[:N_TOKENS] if values[token] < -3),
        tuple(token for token in ordered[: -N_TOKENS - 1 : -1] if values[token] > 3),
    )
