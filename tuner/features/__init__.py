"""Vocabulary and encoding, fitted on train alone."""

from tuner.features.encode import Encoded, Encoder, fit_encoder
from tuner.features.store import features_from_arrays, features_to_arrays
from tuner.features.vocabulary import PAD, UNK, add_ngrams, build_vocabulary

__all__ = [
    "PAD",
    "UNK",
    "Encoded",
    "Encoder",
    "add_ngrams",
    "build_vocabulary",
    "features_from_arrays",
    "features_to_arrays",
    "fit_encoder",
]
