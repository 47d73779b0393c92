"""Vocabulary and encoding, fitted on train alone."""

from tuner.features.encode import Encoded, Encoder, fit_length
from tuner.features.ngrams import Ngrams
from tuner.features.replacements import Replacements, fit_replacements
from tuner.features.store import (
    encoded_from_arrays,
    encoded_to_arrays,
    vocabulary_from_arrays,
    vocabulary_to_arrays,
)
from tuner.features.subwords import SubwordLengths
from tuner.features.vectors import (
    Coverage,
    EmbeddingStart,
    WordVectors,
    read_vectors,
    vectors_width,
)
from tuner.features.vocabulary import JOINT, PAD, UNK, build_vocabulary

__all__ = [
    "JOINT",
    "PAD",
    "UNK",
    "Coverage",
    "EmbeddingStart",
    "Encoded",
    "Encoder",
    "Ngrams",
    "Replacements",
    "SubwordLengths",
    "WordVectors",
    "build_vocabulary",
    "encoded_from_arrays",
    "encoded_to_arrays",
    "fit_length",
    "fit_replacements",
    "read_vectors",
    "vectors_width",
    "vocabulary_from_arrays",
    "vocabulary_to_arrays",
]
