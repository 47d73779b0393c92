"""The compiled program and the two phases of a trial."""

from tuner.models import runtime as _runtime  # noqa: F401 - before anything loads TensorFlow
from tuner.training.data import FitData, LabelledTexts, prepare_fit
from tuner.training.fit import fit
from tuner.training.metrics import score
from tuner.training.prediction import predict_probabilities

__all__ = ["FitData", "LabelledTexts", "fit", "predict_probabilities", "prepare_fit", "score"]
