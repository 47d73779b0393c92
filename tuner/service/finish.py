"""The end of a study: the sealed test is opened once, for all models together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.baselines import (
    LabelledTokens,
    TfidfLinear,
    fit_tfidf_characters,
    fit_tfidf_words,
    majority_class,
)
from tuner.config import PreprocessSettings, apply_params, digest
from tuner.cores import cores
from tuner.evaluation import (
    calibration_report,
    compare,
    decide,
    score_intervals,
    slice_report,
)
from tuner.packed import PackedTokens
from tuner.persist import SealedTest
from tuner.pipeline import Model, Pipeline
from tuner.preprocess import tokenize, with_words
from tuner.records import Document, Scores, TrialRecord
from tuner.seeds import Stream, derive_seed
from tuner.service.results import Results

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Opening", "open_test"]


@dataclass(frozen=True, slots=True)
class Opening:
    """What one reading of the sealed test gave.

    `test` are the winner's scores with their intervals, `baselines` the others by name, `verdict`
    the judgement, all as they stand in the JSON; `slices` and `calibration` go into the report.
    """

    test: dict[str, Any]
    baselines: dict[str, Any]
    verdict: dict[str, Any]
    slices: dict[str, Any]
    calibration: dict[str, Any]


def open_test(
    results: Results, pipeline: Pipeline, best: TrialRecord, default: TrialRecord | None
) -> Opening:
    """Measure winner, untuned default and baselines on the sealed test, in one reading.

    Parameters
    ----------
    best, default
        The winner, and trial 0 (None if it is not complete).
    """
    settings, parts = results.settings, results.parts
    # Everything is fitted before the ledger's row is written.
    preprocess = with_words(settings.preprocess, [d.text for d in parts.train])
    open_parts = ("train", "validation", "selection")
    tokens = {name: pipeline.tokens(preprocess, name) for name in open_parts}
    labels = {name: [d.label for d in getattr(parts, name)] for name in open_parts}
    train, validation = (
        LabelledTokens(tokens[name], labels[name]) for name in ("train", "validation")
    )
    seed = derive_seed(settings.study.seed, 0, Stream.BASELINE)
    linear = {
        name: fit(train, validation, seed=seed)
        for name, fit in (
            ("tfidf_words", fit_tfidf_words),
            ("tfidf_characters", fit_tfidf_characters),
        )
    }
    majority = majority_class(train.labels)
    winner = Model(results.stored_model(best, {}))
    encoded = pipeline.prepare(apply_params(settings, best.params)).encoded
    untuned = None if default is None else Model(results.stored_model(default, {}))

    models = {
        "winner": str(best.attributes["weights"]),
        "majority": digest([parts.fingerprint, "majority", majority]),
    }
    models |= {
        name: digest([parts.fingerprint, name, model.cost, seed]) for name, model in linear.items()
    }
    if default is not None:
        models["default"] = str(default.attributes["weights"])
    test = SealedTest(results.folder).open(models)

    preprocesses = [
        preprocess,
        *(
            model.settings.preprocess
            for model in (winner, untuned)
            if model is not None and model.reads_tokens
        ),
    ]
    test_tokens = {
        found: tokenize([document.text for document in test], found, processes=cores())
        for found in dict.fromkeys(preprocesses)
    }
    tokens["test"] = test_tokens[preprocess]
    labels["test"] = [document.label for document in test]
    bench = _Bench(labels, parts.classes)
    baselines: dict[str, Any] = {
        "majority": {
            "settings": {"class": majority},
            **bench.scored({name: [majority] * len(found) for name, found in labels.items()}),
        }
    }
    baselines |= {
        name: {
            "settings": {"ngrams": list(model.ngrams), "C": model.cost},
            **bench.scored(_predictions(model, tokens)),
        }
        for name, model in linear.items()
    }
    predicted = {name: bench.test_numbers(model.predict(tokens["test"]))
                 for name, model in linear.items()}  # fmt: skip
    predicted["majority"] = bench.test_numbers([majority] * len(test))
    probabilities: dict[str, npt.NDArray[np.float32]] = {}
    if default is not None and untuned is not None:
        probabilities["default"] = _on_test(untuned, test, test_tokens)
        predicted["default"] = _argmax(probabilities["default"])
        baselines["default"] = {
            "settings": {"trial": default.number},
            "validation": default.attributes["validation"],
            "selection": default.attributes["selection"],
            "test": _short(untuned.evaluate(test, probabilities["default"])),
        }
    measured = {
        name: (bench.numbers(name), winner.encoded_probabilities(encoded[name]))
        for name in ("validation", "selection")
    }
    measured["test"] = (bench.numbers("test"), _on_test(winner, test, test_tokens))
    return _judge(results, winner, measured, test, bench, predicted, probabilities, baselines)


def _on_test(
    model: Model, test: Sequence[Document], tokens: Mapping[PreprocessSettings, PackedTokens]
) -> npt.NDArray[np.float32]:
    if model.reads_tokens:
        return model.token_probabilities(tokens[model.settings.preprocess])
    return model.probabilities([document.text for document in test])


def _judge(
    results: Results,
    winner: Model,
    measured: Mapping[str, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]],
    test: Sequence[Document],
    bench: _Bench,
    predicted: Mapping[str, npt.NDArray[np.int32]],
    probabilities_of: Mapping[str, npt.NDArray[np.float32]],
    baselines: dict[str, Any],
) -> Opening:
    """Put intervals, comparisons, verdict and slices to the predictions on test."""
    settings, parts = results.settings, results.parts
    seed = derive_seed(settings.study.seed, 0, Stream.EVALUATION)
    n_classes = len(parts.classes)
    documents = {"validation": parts.validation, "selection": parts.selection, "test": test}
    truth, probabilities = measured["test"]
    own = _argmax(probabilities)
    comparisons = compare(truth, own, predicted, n_classes=n_classes, seed=seed)
    for comparison in comparisons:
        baselines[comparison.other]["winner_minus_this"] = comparison.as_json()
        baselines[comparison.other]["test"]["intervals"] = _intervals(
            truth,
            predicted[comparison.other],
            probabilities_of.get(comparison.other),
            n_classes,
            seed,
        )
    verdict = decide(comparisons, metric=settings.study.metric, n=len(test))
    return Opening(
        test=winner.evaluate(test, probabilities).as_json()
        | {"intervals": _intervals(truth, own, probabilities, n_classes, seed)},
        baselines=baselines,
        verdict=verdict.as_json(),
        slices={
            name: slice_report(*measured[name], documents[name], parts.classes)
            for name in ("selection", "test")
        },
        calibration=calibration_report(
            measured["validation"],
            {name: measured[name] for name in ("selection", "test")},
            seed=seed,
        ),
    )


class _Bench:
    """The labels of all parts, as class numbers, to score predictions against."""

    def __init__(self, labels: Mapping[str, Sequence[str]], classes: Sequence[str]) -> None:
        self._classes = classes
        self._number = {name: index for index, name in enumerate(classes)}
        self._labels = labels

    def numbers(self, part: str) -> npt.NDArray[np.int32]:
        return self.test_numbers(self._labels[part])

    def test_numbers(self, names: Sequence[str]) -> npt.NDArray[np.int32]:
        return np.array([self._number[name] for name in names], np.int32)

    def scored(self, predicted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        from tuner.training import score

        return {
            name: _short(
                score(self.numbers(name), self.test_numbers(predicted[name]), self._classes)
            )
            for name in ("validation", "selection", "test")
        }


def _predictions(
    model: TfidfLinear, tokens: Mapping[str, Sequence[Sequence[str]]]
) -> dict[str, list[str]]:
    return {name: model.predict(tokens[name]) for name in ("validation", "selection", "test")}


def _argmax(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    return np.asarray(probabilities.argmax(axis=1), np.int32)


def _intervals(
    truth: npt.NDArray[np.int32],
    predicted: npt.NDArray[np.int32],
    probabilities: npt.NDArray[np.float32] | None,
    n_classes: int,
    seed: int,
) -> dict[str, Any]:
    found = score_intervals(
        truth, predicted, n_classes=n_classes, seed=seed, probabilities=probabilities
    )
    return {name: interval.as_json() for name, interval in found.items()}


def _short(scores: Scores) -> dict[str, Any]:
    return {name: value for name, value in scores.as_json().items() if name != "per_class"}
