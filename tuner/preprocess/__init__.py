"""From a raw text to its tokens; stateless."""

from tuner.preprocess.normalize import normalize
from tuner.preprocess.segment import detect_segmenter, segmenter
from tuner.preprocess.stop_words import stop_words
from tuner.preprocess.tokenize import (
    check_word_lists,
    preprocess_digest,
    resolve_segmenter,
    tokenize,
    with_words,
)

__all__ = [
    "check_word_lists",
    "detect_segmenter",
    "normalize",
    "preprocess_digest",
    "resolve_segmenter",
    "segmenter",
    "stop_words",
    "tokenize",
    "with_words",
]
