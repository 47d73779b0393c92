"""The straight line from documents to a measured classifier; it knows no Optuna."""

from tuner.pipeline.model import Model, load_model
from tuner.pipeline.study_trials import Fold, StudyTrials
from tuner.pipeline.token_features import Prepared
from tuner.pipeline.trials import Pipeline, load_training_ahead

__all__ = [
    "Fold",
    "Model",
    "Pipeline",
    "Prepared",
    "StudyTrials",
    "load_model",
    "load_training_ahead",
]
