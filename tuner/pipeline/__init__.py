"""The straight line from documents to a measured classifier; it knows no Optuna."""

from tuner.pipeline.model import Model, load_model
from tuner.pipeline.trials import Pipeline, Prepared

__all__ = ["Model", "Pipeline", "Prepared", "load_model"]
