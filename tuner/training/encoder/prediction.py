"""Predict texts from the cut up; a text's numbers follow from that text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.config import Settings
from tuner.models.pretrained import Checkpoint
from tuner.records import StopRequested
from tuner.training.encoder.prefix import FrozenPrefix
from tuner.training.encoder.program import EncoderProgram, encoder_program
from tuner.training.encoder.texts import EncoderTexts

__all__ = ["encoder_probabilities", "predict_rows"]

_HEAD_ROWS = 16  # of one product of the head; its shape is part of the numbers


def predict_rows(
    program: EncoderProgram,
    prefix: FrozenPrefix,
    rows: npt.NDArray[np.intp],
    *,
    cut: int,
    stop_requested: StopRequested = lambda: None,
) -> npt.NDArray[np.float32]:
    """Predict texts, (len(rows), n_classes), rows adding up to 1.

    Parameters
    ----------
    program
        With the weights to predict with.
    prefix
        Of the texts that `rows` points into.
    cut
        Lowest group that differs from the checkpoint; the number of groups for the head alone.
    """
    if cut == program.n_groups:
        features = prefix.pooled(program.network.pooling, stop_requested=stop_requested)[rows]
    else:
        features = _features(program, prefix, rows, cut, stop_requested)
    logits = np.concatenate(
        [
            _head_logits(program, features[start : start + _HEAD_ROWS])
            for start in range(0, len(rows), _HEAD_ROWS)
        ]
    )
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def _features(
    program: EncoderProgram,
    prefix: FrozenPrefix,
    rows: npt.NDArray[np.intp],
    cut: int,
    stop_requested: StopRequested,
) -> npt.NDArray[np.float32]:
    distinct, place = np.unique(rows, return_inverse=True)
    features = np.zeros((len(distinct), program.checkpoint.architecture.width), np.float32)
    for batch in prefix.texts.prediction_batches(distinct):
        stop_requested()
        found = program.passes.features(
            prefix.batch(cut, batch), prefix.texts.lengths(batch.rows), cut
        )
        features[np.searchsorted(distinct, batch.rows[: batch.n])] = found[: batch.n]
    return features[place]


def _head_logits(
    program: EncoderProgram, features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    filled = np.zeros((_HEAD_ROWS, features.shape[1]), np.float32)
    filled[: len(features)] = features
    return program.passes.head(filled)[: len(features)]


def encoder_probabilities(
    settings: Settings,
    weights: Mapping[str, npt.NDArray[Any]],
    checkpoint: Checkpoint,
    texts: Sequence[str],
    *,
    n_classes: int,
) -> npt.NDArray[np.float32]:
    """Predict cleaned texts with stored weights, (n, n_classes) float32, rows adding up to 1."""
    distinct = sorted(set(texts))
    place = {text: number for number, text in enumerate(distinct)}
    pieces = checkpoint.encode(distinct, max_tokens=settings.features.max_tokens)
    encoded = EncoderTexts(checkpoint, pieces)
    program = encoder_program(
        checkpoint, n_classes=n_classes, model=settings.model, training=settings.training
    )
    cut = program.load(weights, encoded)
    rows = np.array([place[text] for text in texts], np.intp)
    return predict_rows(program, FrozenPrefix(encoded, program.passes, None), rows, cut=cut)
