"""From a raw text to its tokens; stateless."""

from tuner.preprocess.normalize import normalize
from tuner.preprocess.passes import (
    clean_texts,
    cleaning_digest,
    segment_texts,
    segmentation_digest,
)
from tuner.preprocess.segment import detect_segmenter, segmenter
from tuner.preprocess.stop_words import stop_words
from tuner.preprocess.tokenize import (
    check_word_lists,
    resolve_segmenter,
    tokenize,
    with_words,
)

__all__ = [
    "check_word_lists",
    "clean_texts",
    "cleaning_digest",
    "detect_segmenter",
    "normalize",
    "resolve_segmenter",
    "segment_texts",
    "segmentation_digest",
    "segmenter",
    "stop_words",
    "tokenize",
    "with_words",
]
