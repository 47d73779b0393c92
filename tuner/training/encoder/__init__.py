"""Training on a pretrained encoder: probe, fine-tuning from the cut, the frozen prefix."""

from tuner.training.encoder.data import EncoderData, LabelledRows
from tuner.training.encoder.fit import fit_encoder
from tuner.training.encoder.prediction import encoder_probabilities
from tuner.training.encoder.texts import EncoderTexts

__all__ = [
    "EncoderData",
    "EncoderTexts",
    "LabelledRows",
    "encoder_probabilities",
    "fit_encoder",
]
