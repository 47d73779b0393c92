"""The end of a study: the sealed test is opened once, for all models together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.evaluation import (
    calibration_report,
    compare,
    decide,
    score_intervals,
    slice_report,
)
from tuner.persist import SealedTest
from tuner.records import Scores, StopRequested, TrialRecord
from tuner.seeds import Stream, derive_seed
from tuner.service.candidates import Candidates, fit_candidates
from tuner.service.predictions import Predictions, predict_all
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
    results: Results,
    best: TrialRecord,
    default: TrialRecord | None,
    stop_requested: StopRequested,
) -> Opening:
    """Measure winner, untuned default and baselines on the sealed test, in one reading.

    Parameters
    ----------
    best, default
        The winner, and trial 0 (None if it is not complete).
    stop_requested
        Asked until the ledger's row is written.
    """
    candidates = fit_candidates(results, best, default, stop_requested)
    # Everything is fitted before the ledger's row is written.
    test = SealedTest(results.folder).open(dict(candidates.digests))
    predictions = predict_all(results, candidates, best, test)
    return _judge(results, candidates, predictions, default)


def _judge(
    results: Results,
    candidates: Candidates,
    predictions: Predictions,
    default: TrialRecord | None,
) -> Opening:
    """Put scores, intervals, comparisons, verdict and slices to the predictions."""
    settings, classes = results.settings, results.parts.classes
    seed = derive_seed(settings.study.seed, 0, Stream.EVALUATION)
    labels, documents = predictions.labels, predictions.documents
    truth, probabilities = labels["test"], predictions.winner["test"]
    measured = {part: (labels[part], predictions.winner[part]) for part in documents}

    def intervals(
        predicted: npt.NDArray[np.int32], probabilities: npt.NDArray[np.float32] | None
    ) -> dict[str, Any]:
        found = score_intervals(
            truth, predicted, n_classes=len(classes), seed=seed, probabilities=probabilities
        )
        return {name: interval.as_json() for name, interval in found.items()}

    others = {name: predictions.simple[name]["test"] for name in candidates.linear}
    others["majority"] = predictions.simple["majority"]["test"]
    if predictions.default is not None:
        others["default"] = _argmax(predictions.default)
    own = _argmax(probabilities)
    is_default = candidates.digests["winner"] == candidates.digests.get("default")
    # A model is not compared with itself: it would only cost the other comparisons power.
    rivals = {
        name: said for name, said in others.items() if not (is_default and name == "default")
    }
    comparisons = compare(truth, own, rivals, n_classes=len(classes), seed=seed)
    baselines = _scored(candidates, predictions, default, classes)
    for comparison in comparisons:
        baselines[comparison.other]["winner_minus_this"] = comparison.as_json()
    for name, said in others.items():
        baselines[name]["test"]["intervals"] = intervals(
            said, predictions.default if name == "default" else None
        )
    return Opening(
        test=candidates.winner.evaluate(documents["test"], probabilities).as_json()
        | {"intervals": intervals(own, probabilities)},
        baselines=baselines,
        verdict=decide(
            comparisons, metric=settings.study.metric, n=len(truth), is_default=is_default
        ).as_json(),
        slices={
            part: slice_report(*measured[part], documents[part], classes)
            for part in ("selection", "test")
        },
        calibration=calibration_report(
            measured["validation"],
            {part: measured[part] for part in ("selection", "test")},
            seed=seed,
        ),
    )


def _scored(
    candidates: Candidates,
    predictions: Predictions,
    default: TrialRecord | None,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """Give settings and scores of each baseline, and of trial 0."""
    from tuner.training import score

    settings: dict[str, dict[str, Any]] = {"majority": {"class": candidates.majority}}
    for name, model in candidates.linear.items():
        settings[name] = {"ngrams": list(model.ngrams), "C": model.cost}
    scored: dict[str, Any] = {
        name: {"settings": found}
        | {
            part: _short(score(predictions.labels[part], predicted, classes))
            for part, predicted in predictions.simple[name].items()
        }
        for name, found in settings.items()
    }
    if default is not None and candidates.default is not None:
        on_test = candidates.default.evaluate(predictions.documents["test"], predictions.default)
        scored["default"] = {
            "settings": {"trial": default.number},
            "validation": default.attributes["validation"],
            "selection": default.attributes["selection"],
            "test": _short(on_test),
        }
    return scored


def _argmax(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    return np.asarray(probabilities.argmax(axis=1), np.int32)


def _short(scores: Scores) -> dict[str, Any]:
    return {name: value for name, value in scores.as_json().items() if name != "per_class"}
