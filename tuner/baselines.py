"""What simple models reach on the same parts: the figures a search has to beat."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "LabelledTokens",
    "TfidfLinear",
    "fit_tfidf_characters",
    "fit_tfidf_words",
    "majority_class",
]

COSTS = (0.1, 0.3, 1.0, 3.0)
ROWS_FOR_COSTS = 10_000
FEATURES_MAX = 300_000


def majority_class(labels: Sequence[str]) -> str:
    """Give the commonest class of train; of equal ones the one that sorts first.

    >>> majority_class(["b", "a", "b", "a"])
    'a'
    """
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


class LabelledTokens(NamedTuple):
    """Token lists and as many labels."""

    documents: Sequence[Sequence[str]]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class TfidfLinear:
    """TF-IDF with a linear support vector machine, fitted.

    `ngrams` are the shortest and the longest run of words or characters that is a feature.
    """

    vectorizer: Any
    model: Any
    cost: float
    ngrams: tuple[int, int]

    def predict(self, documents: Sequence[Sequence[str]]) -> list[str]:
        """Predict the labels of token lists."""
        return [str(label) for label in self.model.predict(self.vectorizer.transform(documents))]


def fit_tfidf_words(
    train: LabelledTokens,
    validation: LabelledTokens,
    *,
    seed: int,
) -> TfidfLinear:
    """Fit words and word pairs; see `_fit`.

    Parameters
    ----------
    train, validation
        The first is fitted on, the second chooses the cost.
    seed
        For the solver's order of coordinates.
    """
    return _fit(_words, (1, 2), train, validation, seed=seed)


def fit_tfidf_characters(
    train: LabelledTokens,
    validation: LabelledTokens,
    *,
    seed: int,
) -> TfidfLinear:
    """Fit runs of characters: 1 to 3 where they are Chinese, 2 to 5 where words have blanks.

    Where no train text has two characters, there are no longer runs: 1 alone is counted too.
    Parameters are those of `fit_tfidf_words`.
    """
    if _has_han(train.documents):
        return _fit(_joined, (1, 3), train, validation, seed=seed)
    shortest = 2 if any(len(_spaced(tokens)) > 1 for tokens in train.documents) else 1
    return _fit(_spaced, (shortest, 5), train, validation, seed=seed)


def _words(tokens: Sequence[str]) -> list[str]:
    return list(tokens) or ["[UNK]"]


def _joined(tokens: Sequence[str]) -> str:
    return "".join(tokens) or "[UNK]"


def _spaced(tokens: Sequence[str]) -> str:
    return " ".join(tokens) or "[UNK]"


def _has_han(documents: Sequence[Sequence[str]]) -> bool:
    """Say whether most of the first texts hold a Chinese character."""
    sample = documents[:1_000]
    n_han = sum(any("一" <= c <= "鿿" for token in tokens for c in token) for tokens in sample)
    return 2 * n_han > len(sample)


def _fit(
    prepare: Any,
    ngrams: tuple[int, int],
    train: LabelledTokens,
    validation: LabelledTokens,
    *,
    seed: int,
) -> TfidfLinear:
    """Fit on train for each of four costs, and keep the one with the best validation macro-F1.

    Of more than 10,000 train rows 10,000 drawn at random choose the cost, and all are fitted
    with it.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import f1_score

    if prepare is _words:
        analyzer: dict[str, Any] = {"tokenizer": _words, "preprocessor": None}
        analyzer |= {"token_pattern": None, "analyzer": "word"}
    else:
        analyzer = {"preprocessor": prepare, "analyzer": "char"}
    vectorizer = TfidfVectorizer(
        ngram_range=ngrams,
        lowercase=False,
        sublinear_tf=True,
        max_features=FEATURES_MAX,
        **analyzer,
    )
    features = vectorizer.fit_transform(train.documents)
    validation_features = vectorizer.transform(validation.documents)
    labels = list(train.labels)
    # Not the first ones: a table may be sorted by class.
    drawn = np.sort(np.random.default_rng(seed).permutation(len(labels))[:ROWS_FOR_COSTS])
    if len({labels[row] for row in drawn}) < 2:
        drawn = np.arange(len(labels))
    of_drawn = [labels[row] for row in drawn]

    def value(cost: float) -> float:
        model = _svm(features[drawn], of_drawn, cost, seed)
        predicted = model.predict(validation_features)
        return float(f1_score(validation.labels, predicted, average="macro", zero_division=0))

    cost = max(COSTS, key=value)
    return TfidfLinear(vectorizer, _svm(features, labels, cost, seed), cost, ngrams)


def _svm(features: Any, labels: Sequence[str], cost: float, seed: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LinearSVC(C=cost, random_state=seed).fit(features, labels)
