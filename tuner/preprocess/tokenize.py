"""Cleaning, segmentation and stop words as one step from text to tokens."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.config import PreprocessSettings
from tuner.packed import PackedTokens
from tuner.preprocess.normalize import normalize
from tuner.preprocess.passes import clean_texts, segment_texts
from tuner.preprocess.segment import detect_segmenter, segmenter
from tuner.preprocess.stop_words import stop_words

__all__ = [
    "check_word_lists",
    "resolve_segmenter",
    "tokenize",
    "with_words",
]

CHARACTERS_BELOW = 20_000  # train texts; docs/loop.md has the figures


def resolve_segmenter(
    settings: PreprocessSettings, train_texts: Sequence[str]
) -> PreprocessSettings:
    """Replace the segmenter `auto` by what suits the train texts.

    Words, but the characters of a Chinese table of fewer than 20,000 train texts: there most
    words are too rare to be learnt. A dictionary or a list of stop words asks for words.

    Notes
    -----
    Li et al. 2019, "Is Word Segmentation Necessary for Deep Learning of Chinese
    Representations?", arXiv:1905.05526.
    """
    if settings.segmenter != "auto":
        return settings
    found = _detect(settings, train_texts)
    has_word_lists = settings.dictionary is not None or settings.stop_words != "none"
    if found == "jieba" and len(train_texts) < CHARACTERS_BELOW and not has_word_lists:
        found = "characters"
    return settings.model_copy(update={"segmenter": found})


def with_words(settings: PreprocessSettings, train_texts: Sequence[str]) -> PreprocessSettings:
    """Give the preprocessing with a segmenter that gives words, for what is defined on words.

    One that gives words already stays.
    """
    if settings.segmenter not in ("auto", "characters"):
        return settings
    return settings.model_copy(update={"segmenter": _detect(settings, train_texts)})


def _detect(settings: PreprocessSettings, train_texts: Sequence[str]) -> str:
    return detect_segmenter(normalize(text, settings) for text in train_texts[:5_000])


def check_word_lists(settings: PreprocessSettings) -> None:
    """Raise `ConfigError` if the stop words or the dictionary cannot be used."""
    stop_words(settings.stop_words)
    if settings.dictionary is not None:
        segmenter("jieba", settings.dictionary)


def tokenize(
    texts: Sequence[str], settings: PreprocessSettings, *, processes: int = 1
) -> PackedTokens:
    """Cut texts into tokens.

    Parameters
    ----------
    texts
        Raw texts, length n.
    settings
        With a resolved segmenter (see `resolve_segmenter`).
    processes
        Processes for large inputs; the result does not depend on it.

    Returns
    -------
    PackedTokens, length n
        No row is dropped; a text of which nothing is left has no tokens.
    """
    cleaned = clean_texts(texts, settings, processes=processes)
    tokens = segment_texts(cleaned, settings, processes=processes)
    return tokens.without(stop_words(settings.stop_words))
