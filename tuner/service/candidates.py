"""All models that the sealed test is opened for, fitted before it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.baselines import (
    LabelledTokens,
    TfidfLinear,
    fit_tfidf_characters,
    fit_tfidf_words,
    majority_class,
)
from tuner.config import PreprocessSettings, digest
from tuner.pipeline import Model
from tuner.records import StopRequested, TrialRecord
from tuner.seeds import Stream, derive_seed
from tuner.service.results import Results

__all__ = ["Candidates", "fit_candidates"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The winner and what it is compared with.

    `default` is trial 0, None if it is not complete; `linear` are the TF-IDF models by name,
    which read what `preprocess` makes of a text; `majority` is the commonest class. `digests`
    name each model for the ledger.
    """

    winner: Model
    default: Model | None
    linear: Mapping[str, TfidfLinear]
    preprocess: PreprocessSettings
    majority: str
    digests: Mapping[str, str]

    @property
    def preprocesses(self) -> tuple[PreprocessSettings, ...]:
        """All ways in which the models have their texts cut, each once."""
        models = (model for model in (self.winner, self.default) if model is not None)
        of_models = (m.settings.preprocess for m in models if m.reads_tokens)
        return tuple(dict.fromkeys((self.preprocess, *of_models)))


def fit_candidates(
    results: Results,
    best: TrialRecord,
    default: TrialRecord | None,
    stop_requested: StopRequested,
) -> Candidates:
    """Load the winner and trial 0, and fit the baselines on train and validation.

    `stop_requested` is asked before and after each that takes long.
    """
    settings, parts, pipeline = results.settings, results.parts, results.pipeline
    preprocess = pipeline.with_words(settings.preprocess)
    train, validation = (
        LabelledTokens(pipeline.tokens(preprocess, name), [d.label for d in documents])
        for name, documents in (("train", parts.train), ("validation", parts.validation))
    )
    seed = derive_seed(settings.study.seed, 0, Stream.BASELINE)
    linear = {}
    for name, fit in (
        ("tfidf_words", fit_tfidf_words),
        ("tfidf_characters", fit_tfidf_characters),
    ):
        stop_requested()
        linear[name] = fit(train, validation, seed=seed)
    stop_requested()
    majority = majority_class(train.labels)
    digests = {
        "winner": str(best.attributes["weights"]),
        "majority": digest([parts.fingerprint, "majority", majority]),
    }
    digests |= {
        name: digest([parts.fingerprint, name, model.cost, seed]) for name, model in linear.items()
    }
    if default is not None:
        digests["default"] = str(default.attributes["weights"])
    return Candidates(
        Model(results.stored_model(best, {})),
        None if default is None else Model(results.stored_model(default, {})),
        linear,
        preprocess,
        majority,
        digests,
    )
