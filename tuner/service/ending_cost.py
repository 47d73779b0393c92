"""What the end of a study takes: the sealed test with its baselines, and the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar

import numpy as np

from tuner.baselines import LabelledTokens, fit_tfidf_characters, fit_tfidf_words
from tuner.config import PreprocessSettings, Settings
from tuner.corpus import duplicate_key, near_duplicate_groups
from tuner.doctor import find_label_noise, n_passes, word_features
from tuner.evaluation import compare, score_intervals
from tuner.pipeline import Pipeline
from tuner.preprocess import tokenize
from tuner.records import SearchParts, TrialRecord
from tuner.service.label_suspects import count_judged, shuffled

__all__ = ["EndingCost", "rehearse"]

SAMPLE_ROWS = 500
MARGIN = 1.25  # more rows have more different words, and the machine may be busier then
SECONDS_FIXED = 3.0  # libraries, files, the note, and the end of the process
N_MODELS = 5  # winner, trial 0, two of TF-IDF, majority

Result = TypeVar("Result")
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class EndingCost:
    """What the end of a study is expected to take.

    `rehearsed` are the seconds of what does not hang on the winner, see `rehearse`; `parts` tell
    how many rows are predicted.
    """

    rehearsed: float
    parts: SearchParts

    def seconds(self, trials: Sequence[TrialRecord]) -> float:
        """Give the estimate after these trials, with a quarter more and 3 s for what is fixed."""
        variable = self.rehearsed + _predictions(trials, self.parts) + _importances(trials)
        return MARGIN * variable + SECONDS_FIXED


def rehearse(
    pipeline: Pipeline, settings: Settings, *, clock: Clock = time.monotonic
) -> EndingCost:
    """Estimate the end of a study before its search, by doing most of it for 500 rows of train.

    Segmentation, both TF-IDF models, intervals with comparisons, and the look for label suspects
    are timed apart, and each is scaled by its own number of rows and classes. The sealed test is
    not touched: its rows are only counted.

    Parameters
    ----------
    pipeline, settings
        Of the study.
    clock
        In seconds.
    """
    parts = pipeline.parts
    rows = sorted(shuffled(len(parts.train), seed=settings.study.seed)[:SAMPLE_ROWS])
    sample = [parts.train[row] for row in rows]
    texts, labels = [d.text for d in sample], [d.label for d in sample]
    classes = sorted(set(labels))
    if len(classes) < 2:
        return EndingCost(0.0, parts)  # nothing to fit: so few rows take no time
    preprocess = pipeline.with_words(settings.preprocess)
    _load_libraries(texts, preprocess)

    def timed(call: Callable[[], Result]) -> tuple[Result, float]:
        started = clock()
        return call(), clock() - started

    found, segmenting = timed(lambda: tokenize(texts, preprocess))
    tokens = [list(document) for document in found]
    train = LabelledTokens(tokens, labels)
    words, of_words = timed(lambda: fit_tfidf_words(train, train, seed=0))
    characters, of_characters = timed(lambda: fit_tfidf_characters(train, train, seed=0))
    _, predicting = timed(lambda: (words.predict(tokens), characters.predict(tokens)))
    number = {name: index for index, name in enumerate(classes)}
    truth = np.array([number[label] for label in labels], np.int32)
    said = np.array([number[label] for label in words.predict(tokens)], np.int32)
    n_classes = len(classes)
    _, comparing = timed(lambda: compare(truth, truth, {"": said}, n_classes=n_classes, seed=0))
    _, bounding = timed(lambda: score_intervals(truth, said, n_classes=n_classes, seed=0))
    groups, grouping = timed(lambda: near_duplicate_groups([duplicate_key(t) for t in texts]))
    _, counting = timed(lambda: word_features(tokens))
    _, doubting = timed(lambda: find_label_noise(tokens, labels, groups, seed=0))

    n, more_classes = len(sample), len(parts.classes) / n_classes
    n_judged = count_judged(
        [*parts.train, *parts.validation, *parts.selection], n_classes=len(parts.classes)
    )
    updates = n_judged * n_passes(n_judged) / (n * n_passes(n))
    return EndingCost(
        segmenting * _n_segmented(parts, preprocess, pipeline.resolve(settings.preprocess)) / n
        + (of_words + of_characters) * more_classes * len(parts.train) / n
        + predicting * (_n_open(parts) + parts.n_test) / n
        + (bounding * N_MODELS + comparing * (N_MODELS - 1)) * more_classes * parts.n_test / n
        + (grouping + counting) * n_judged / n
        + max(0.0, doubting - counting) * more_classes * updates,
        parts,
    )


def _load_libraries(texts: Sequence[str], preprocess: PreprocessSettings) -> None:
    """Load once what would else be timed as if every row took it."""
    for name in ("cleanlab.filter", "scipy.sparse", "sklearn.isotonic", "sklearn.svm"):
        import_module(name)
    tokenize(texts[:1], preprocess)


def _n_segmented(
    parts: SearchParts, words: PreprocessSettings, of_search: PreprocessSettings
) -> int:
    """Count the rows that are cut only now; the search has cut the open ones in its own way."""
    if words == of_search:
        return parts.n_test
    return _n_open(parts) + 2 * parts.n_test


def _n_open(parts: SearchParts) -> int:
    return len(parts.train) + len(parts.validation) + len(parts.selection)


def _predictions(trials: Sequence[TrialRecord], parts: SearchParts) -> float:
    """Estimate what the winner predicts in all parts but train, and trial 0 on test.

    A row costs what it cost in the slowest trial: on validation and selection, or in a pretrained
    encoder's pass over all open rows.
    """
    n_scored = len(parts.validation) + len(parts.selection)
    stages = [t.attributes.get("seconds") or {} for t in trials if t.state == "complete"]
    scoring = max((found.get("re_evaluate", 0.0) for found in stages), default=0.0)
    passing = max((found.get("prefix", 0.0) for found in stages), default=0.0)
    row = max(scoring / n_scored, passing / _n_open(parts))
    return row * (n_scored + 2 * parts.n_test)


def _importances(trials: Sequence[TrialRecord]) -> float:
    """Give what `tuner.search.parameter_importances` says it takes: 2 s by 100, 7 s by 1,000."""
    n = sum(trial.state == "complete" for trial in trials)
    return 0.02 * min(n, 100) + 0.0056 * max(0, n - 100)
