"""Predict texts with weights that were stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tuner.config import Settings
from tuner.models import model_shape
from tuner.records import EncodedTexts
from tuner.training.data import prediction_calls
from tuner.training.program import program_for

__all__ = ["predict_probabilities"]


def predict_probabilities(
    settings: Settings,
    weights: Mapping[str, npt.NDArray[np.float32]],
    texts: EncodedTexts,
    *,
    edges: Sequence[int],
    vocabulary_size: int,
    n_classes: int,
) -> npt.NDArray[np.float32]:
    """Predict texts with stored weights, (n, n_classes) float32, rows adding up to 1."""
    shape = model_shape(settings.model, vocabulary_size=vocabulary_size, n_classes=n_classes)
    program = program_for(shape)
    program.classifier.configure(settings.model)
    program.classifier.load(weights)
    return program.passes.probabilities(prediction_calls(texts, edges), len(texts.lengths))
