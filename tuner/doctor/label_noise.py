"""Rows whose label is probably wrong: confident learning on out-of-fold probabilities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.row_groups import groups_by_class

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["LabelSuspect", "deal_folds", "find_label_noise", "n_passes", "word_features"]

FOLDS = 5
TOP_SHARE, TOP_ROWS = 0.1, 100  # in a small set the surest 100, but at most a quarter
PRECISION_MIN = 0.5
# A model that is wrong so often where it is surest, and knows so little more than the commonest
# label does, doubts rows at random: on 400 clean rows of SST-2 it doubted up to a third of them.
FLOOR_MAX, SKILL_MIN = 0.2, 0.3
_UNKNOWN = "[UNK]"
_MAX_FEATURES = 100_000
# log loss, so that it gives probabilities; 8 passes from 6,000 rows on, more below
_ALPHA = 1e-5
_EPOCHS_MIN, _EPOCHS_MAX, _UPDATES = 8, 50, 50_000
_MARGIN_MAX = 100.0


@dataclass(frozen=True, slots=True)
class LabelSuspect:
    """A row whose label a model that has not seen it does not believe.

    `row` is its position in what was given; `self_confidence` is the probability of the given
    label and `confidence` that of the suggested one, both in [0, 1].
    """

    row: int
    given: str
    suggested: str
    self_confidence: float
    confidence: float


def find_label_noise(
    documents: Sequence[Sequence[str]],
    labels: Sequence[str],
    groups: Sequence[int],
    *,
    seed: int,
) -> tuple[LabelSuspect, ...]:
    """Find rows whose label is probably wrong, the surest first.

    Parameters
    ----------
    documents
        Token lists, length n.
    labels
        Given label of each row, length n.
    groups
        Duplicate group of each row, length n; a row is never judged by a copy of itself.
    seed
        Deals the folds and orders the solver's steps.

    Returns
    -------
    tuple of LabelSuspect
        Sorted by the margin of the suggested label over the given one. Rows of a class with fewer
        than five different texts are neither judged nor learnt from.

    Notes
    -----
    Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset
    Labels", JAIR 70, arXiv:1911.00068; the off-diagonal of the confident joint (section 3.1,
    method C_confusion with thresholds, equation 2) as cleanlab counts it (Apache-2.0).

    Stricter than the paper: where the classes are hard to tell apart, its thresholds alone flag
    up to one row of a clean set in eleven. How often the model disagrees with a label falls as
    it gets surer (isotonic regression), down to a floor among its surest tenth of predictions,
    where what is left is mostly wrong labels. A row is a suspect only where the disagreement is
    at most twice that floor, so that about half of the suspects or more are wrong labels. Where
    the floor itself is above a fifth, and the model puts right less than three tenths of what
    the commonest label gets wrong, the words tell too little of the labels, and no row is a
    suspect. Measured in `benchmarks/planted_faults.py`.
    """
    kept = _judgeable(labels, groups)
    names = sorted({labels[row] for row in kept})
    if len(names) < 2:
        return ()
    number = {name: index for index, name in enumerate(names)}
    given = np.array([number[labels[row]] for row in kept])
    folds = deal_folds(
        [labels[row] for row in kept], [groups[row] for row in kept], n_folds=FOLDS, seed=seed
    )
    features = word_features([documents[row] for row in kept])
    probabilities = _out_of_fold(features, given, folds, n_classes=len(names), seed=seed)
    suspects = [
        LabelSuspect(
            row=kept[position],
            given=names[given[position]],
            suggested=names[int(probabilities[position].argmax())],
            self_confidence=float(probabilities[position, given[position]]),
            confidence=float(probabilities[position].max()),
        )
        for position in np.flatnonzero(_is_suspect(given, probabilities))
    ]
    return tuple(sorted(suspects, key=lambda s: (s.self_confidence - s.confidence, s.row)))


def deal_folds(
    labels: Sequence[str], groups: Sequence[int], *, n_folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """Give every row a fold: class shares alike, a duplicate group whole.

    A group follows its commonest label. Groups of a class are dealt in turn, so that each fold
    has one of every class with at least `n_folds` groups.

    >>> sorted(deal_folds("aabb", [0, 1, 2, 3], n_folds=2, seed=0).tolist())
    [0, 0, 1, 1]
    """
    generator = np.random.default_rng(seed)
    folds = np.zeros(len(labels), np.int64)
    turn = 0
    for _, of_class in sorted(groups_by_class(labels, groups).items()):
        for index in generator.permutation(len(of_class)):
            folds[of_class[index]] = turn % n_folds
            turn += 1
    return folds


def n_passes(n_rows: int) -> int:
    """Give the passes over the rows that the model behind the suspects is fitted with."""
    return min(max(_UPDATES // n_rows, _EPOCHS_MIN), _EPOCHS_MAX)


def word_features(documents: Sequence[Sequence[str]]) -> Any:
    """Give TF-IDF of words and word pairs, a sparse (n, at most 100,000) float32 array."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer="word",
        tokenizer=_same,
        preprocessor=_same,
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=_MAX_FEATURES,
        dtype=np.float32,
    )
    return vectorizer.fit_transform([list(tokens) or [_UNKNOWN] for tokens in documents])


def _same(tokens: Sequence[str]) -> Sequence[str]:
    return tokens


def _judgeable(labels: Sequence[str], groups: Sequence[int]) -> list[int]:
    groups_of: dict[str, set[int]] = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        groups_of[label].add(group)
    return [row for row, label in enumerate(labels) if len(groups_of[label]) >= FOLDS]


def _out_of_fold(
    features: Any,
    given: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
    *,
    n_classes: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Give each row's class probabilities from a model that was fitted on the other folds."""
    from sklearn.linear_model import SGDClassifier

    n_epochs = n_passes(len(given))
    probabilities = np.zeros((len(given), n_classes))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(inside) == 0 or len(np.unique(given[outside])) < 2:
            continue
        model = SGDClassifier(
            loss="log_loss", alpha=_ALPHA, max_iter=n_epochs, tol=None, random_state=seed, n_jobs=2
        )
        model.fit(features[outside], given[outside])
        probabilities[np.ix_(inside, model.classes_)] = _probabilities(
            model.decision_function(features[inside])
        )
    return probabilities


def _probabilities(margins: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give (n, n_classes) probabilities; never all 0, as the model's own may be far out."""
    positive = 1 / (1 + np.exp(-np.clip(margins, -_MARGIN_MAX, _MARGIN_MAX)))
    if positive.ndim == 1:
        return np.column_stack([1 - positive, positive])
    return np.asarray(positive / positive.sum(axis=1, keepdims=True), dtype=np.float64)


def _is_suspect(
    given: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    from cleanlab.filter import find_label_issues
    from sklearn.isotonic import IsotonicRegression

    confident = find_label_issues(
        given, probabilities, filter_by="confident_learning", n_jobs=1
    )  # in this process: its own default starts others
    surest = probabilities.max(axis=1)
    disagrees = (probabilities.argmax(axis=1) != given).astype(np.float64)
    n_top = max(round(TOP_SHARE * len(given)), min(TOP_ROWS, len(given) // 4))
    floor = disagrees[np.argsort(-surest, kind="stable")[:n_top]].mean()
    skill = 1 - disagrees.mean() / (1 - np.bincount(given).max() / len(given))
    if floor > FLOOR_MAX and skill < SKILL_MIN:
        return np.zeros(len(given), dtype=np.bool_)
    rate = IsotonicRegression(increasing=False).fit_transform(surest, disagrees)
    return np.asarray(confident & (rate * PRECISION_MIN <= floor), dtype=np.bool_)
