"""The end of a study: the sealed test is opened once, for all models together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuner.baselines import fit_tfidf_linear, majority_class
from tuner.config import Settings, digest
from tuner.persist import SealedTest
from tuner.pipeline import Model, Pipeline
from tuner.preprocess import resolve_segmenter, tokenize
from tuner.records import Document, Scores, SearchParts, TrialRecord
from tuner.seeds import Stream, derive_seed
from tuner.service.results import Results

__all__ = ["open_test"]


def open_test(
    results: Results, pipeline: Pipeline, best: TrialRecord, default: TrialRecord | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure winner, untuned default and baselines on the sealed test, in one reading.

    Parameters
    ----------
    best, default
        The winner, and trial 0 (None if it is not complete).

    Returns
    -------
    test, baselines : dict
        Scores of the winner, and of the others by name, as they stand in the JSON.
    """
    settings, parts = results.settings, results.parts
    # Everything is fitted before the ledger's row is written.
    tokens, labels = _baseline_inputs(settings, parts, pipeline)
    seed = derive_seed(settings.study.seed, 0, Stream.BASELINE)
    linear = fit_tfidf_linear(
        tokens["train"], labels["train"], tokens["validation"], labels["validation"], seed=seed
    )
    majority = majority_class(labels["train"])
    winner = Model(results.stored_model(best, {}))
    untuned = None if default is None else Model(results.stored_model(default, {}))

    models = {
        "winner": str(best.attributes["weights"]),
        "tfidf_linear": digest([parts.fingerprint, "tfidf_linear", linear.cost, seed]),
        "majority": digest([parts.fingerprint, "majority", majority]),
    }
    if default is not None:
        models["default"] = str(default.attributes["weights"])
    test = SealedTest(results.folder).open(models)

    preprocess = resolve_segmenter(settings.preprocess, [d.text for d in parts.train])
    test_tokens = tokenize([document.text for document in test], preprocess)
    baselines: dict[str, Any] = {
        "majority": {
            "settings": {"class": majority},
            **_scored(
                {name: [majority] * len(found) for name, found in labels.items()}
                | {"test": [majority] * len(test)},
                labels,
                test,
                parts.classes,
            ),
        },
        "tfidf_linear": {
            "settings": {"ngrams": 2, "C": linear.cost},
            **_scored(
                {name: linear.predict(found) for name, found in tokens.items()}
                | {"test": linear.predict(test_tokens)},
                labels,
                test,
                parts.classes,
            ),
        },
    }
    if default is not None and untuned is not None:
        baselines["default"] = {
            "settings": {"trial": default.number},
            "validation": default.attributes["validation"],
            "selection": default.attributes["selection"],
            "test": _short(untuned.evaluate(test)),
        }
    return winner.evaluate(test).as_json(), baselines


def _baseline_inputs(
    settings: Settings, parts: SearchParts, pipeline: Pipeline
) -> tuple[dict[str, list[list[str]]], dict[str, list[str]]]:
    preprocess = resolve_segmenter(settings.preprocess, [d.text for d in parts.train])
    names = ("train", "validation", "selection")
    tokens = {name: pipeline.tokens(preprocess, name) for name in names}
    labels = {name: [document.label for document in getattr(parts, name)] for name in names}
    return tokens, labels


def _scored(
    predicted: Mapping[str, Sequence[str]],
    labels: Mapping[str, Sequence[str]],
    test: Sequence[Document],
    classes: Sequence[str],
) -> dict[str, Any]:
    from tuner.training import score

    truth = {**labels, "test": [document.label for document in test]}
    number = {name: index for index, name in enumerate(classes)}

    def numbers(names: Sequence[str]) -> Any:
        return np.array([number[name] for name in names], np.int32)

    return {
        name: _short(score(numbers(truth[name]), numbers(predicted[name]), classes))
        for name in ("validation", "selection", "test")
    }


def _short(scores: Scores) -> dict[str, Any]:
    return {name: value for name, value in scores.as_json().items() if name != "per_class"}
