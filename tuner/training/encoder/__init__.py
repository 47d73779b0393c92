"""Training on a pretrained encoder: probe, fine-tuning from the cut, the frozen prefix."""

from tuner.training.encoder.fit import EncoderData, encoder_probabilities, fit_encoder
from tuner.training.encoder.texts import EncoderTexts, LabelledRows

__all__ = [
    "EncoderData",
    "EncoderTexts",
    "LabelledRows",
    "encoder_probabilities",
    "fit_encoder",
]
