"""What a simple model reaches on the same parts: the figure a search has to beat."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["TfidfLinear", "fit_tfidf_linear", "majority_class"]

COSTS = (0.1, 0.3, 1.0, 3.0)


def majority_class(labels: Sequence[str]) -> str:
    """Give the commonest class of train; of equal ones the one that sorts first.

    >>> majority_class(["b", "a", "b", "a"])
    'a'
    """
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


@dataclass(frozen=True, slots=True)
class TfidfLinear:
    """TF-IDF of words and word pairs with a linear support vector machine, fitted."""

    vectorizer: Any
    model: Any
    cost: float

    def predict(self, documents: Sequence[Sequence[str]]) -> list[str]:
        """Predict the labels of token lists."""
        return [str(label) for label in self.model.predict(self.vectorizer.transform(documents))]


def _same(tokens: Sequence[str]) -> Sequence[str]:
    return tokens


def fit_tfidf_linear(
    train: Sequence[Sequence[str]],
    train_labels: Sequence[str],
    validation: Sequence[Sequence[str]],
    validation_labels: Sequence[str],
    *,
    seed: int,
) -> TfidfLinear:
    """Fit on train for each of four costs, and keep the one with the best validation macro-F1.

    Parameters
    ----------
    train, validation
        Token lists.
    seed
        For the solver's order of coordinates.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import f1_score
    from sklearn.svm import LinearSVC

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        analyzer="word",
        tokenizer=_same,
        preprocessor=_same,
        token_pattern=None,
        lowercase=False,
    )
    features = vectorizer.fit_transform([list(tokens) or ["[UNK]"] for tokens in train])
    validation_features = vectorizer.transform(validation)
    best: tuple[float, float, Any] | None = None
    for cost in COSTS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LinearSVC(C=cost, random_state=seed).fit(features, train_labels)
        value = f1_score(
            validation_labels,
            model.predict(validation_features),
            average="macro",
            zero_division=0,
        )
        if best is None or value > best[0]:
            best = (float(value), cost, model)
    if best is None:
        raise ValueError("COSTS is empty")
    return TfidfLinear(vectorizer, best[2], best[1])
