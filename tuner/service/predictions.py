"""What all candidates predict, as class numbers and probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuner.config import PreprocessSettings, apply_params
from tuner.cores import cores
from tuner.packed import PackedTokens
from tuner.pipeline import Model
from tuner.preprocess import tokenize
from tuner.records import Document, TrialRecord
from tuner.service.candidates import Candidates
from tuner.service.results import Results

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Predictions", "predict_all"]

OPEN = ("validation", "selection")


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions on validation, selection and test.

    `documents` and `labels`, (n,) int32, are by part; `winner` holds its probabilities by part,
    (n, n_classes) float32, `default` those of trial 0 on test; `simple` the class numbers of each
    baseline by part, (n,) int32.
    """

    documents: Mapping[str, Sequence[Document]]
    labels: Mapping[str, npt.NDArray[np.int32]]
    winner: Mapping[str, npt.NDArray[np.float32]]
    default: npt.NDArray[np.float32] | None
    simple: Mapping[str, Mapping[str, npt.NDArray[np.int32]]]


def predict_all(
    results: Results, candidates: Candidates, best: TrialRecord, test: Sequence[Document]
) -> Predictions:
    """Let every candidate predict.

    Parameters
    ----------
    best
        The trial that is the winner.
    test
        The sealed documents, from its one reading.
    """
    parts, pipeline = results.parts, results.pipeline
    documents = {"validation": parts.validation, "selection": parts.selection, "test": test}
    number = {name: index for index, name in enumerate(parts.classes)}

    def numbers(names: Sequence[str]) -> npt.NDArray[np.int32]:
        return np.array([number[name] for name in names], np.int32)

    texts = [document.text for document in test]
    cut = {how: tokenize(texts, how, processes=cores()) for how in candidates.preprocesses}
    tokens = {name: pipeline.tokens(candidates.preprocess, name) for name in OPEN}
    tokens["test"] = cut[candidates.preprocess]
    simple = {
        "majority": {
            part: np.full(len(found), number[candidates.majority], np.int32)
            for part, found in documents.items()
        }
    }
    for name, model in candidates.linear.items():
        simple[name] = {part: numbers(model.predict(tokens[part])) for part in documents}
    encoded = pipeline.prepare(apply_params(results.settings, best.params)).encoded
    winner = {part: candidates.winner.encoded_probabilities(encoded[part]) for part in OPEN}
    winner["test"] = _on_test(candidates.winner, texts, cut)
    return Predictions(
        documents,
        {part: numbers([d.label for d in found]) for part, found in documents.items()},
        winner,
        None if candidates.default is None else _on_test(candidates.default, texts, cut),
        simple,
    )


def _on_test(
    model: Model, texts: Sequence[str], cut: Mapping[PreprocessSettings, PackedTokens]
) -> npt.NDArray[np.float32]:
    if model.reads_tokens:
        return model.token_probabilities(cut[model.settings.preprocess])
    return model.probabilities(texts)
