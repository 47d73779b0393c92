"""What may be wrong with labelled texts beyond their form: noise, leaks, drift."""

from tuner.doctor.drift import ShareDrift, TextDrift, class_share_drift, text_drift
from tuner.doctor.label_noise import LabelSuspect, find_label_noise, n_passes, word_features
from tuner.doctor.leaking_tokens import Leak, find_leaks

__all__ = [
    "LabelSuspect",
    "Leak",
    "ShareDrift",
    "TextDrift",
    "class_share_drift",
    "find_label_noise",
    "find_leaks",
    "n_passes",
    "text_drift",
    "word_features",
]
