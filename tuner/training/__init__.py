"""The compiled program and the two phases of a trial."""

from tuner.models import runtime as _runtime  # noqa: F401 - before anything loads TensorFlow
from tuner.training.fit import FitData, LabelledTexts, fit, predict_probabilities, prepare_fit
from tuner.training.metrics import score

__all__ = ["FitData", "LabelledTexts", "fit", "predict_probabilities", "prepare_fit", "score"]
