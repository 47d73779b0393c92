"""Cleaning, segmentation and stop words as one step from text to tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tuner.config import PreprocessSettings, digest
from tuner.preprocess.normalize import normalize
from tuner.preprocess.segment import detect_segmenter, segmenter
from tuner.preprocess.stop_words import stop_words

__all__ = [
    "check_word_lists",
    "preprocess_digest",
    "resolve_segmenter",
    "tokenize",
    "with_words",
]

CHARACTERS_BELOW = 20_000  # train texts; docs/loop.md has the figures

_PARALLEL_FROM = 3_000_000  # characters; below, starting processes costs more than it saves
_CHUNK = 512


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
) -> list[list[str]]:
    """Cut texts into tokens.

    Parameters
    ----------
    texts
        Raw texts, length n.
    settings
        With a resolved segmenter (see `resolve_segmenter`).
    processes
        Worker processes for large inputs; the result does not depend on it.

    Returns
    -------
    list of list of str, length n
        No row is dropped; a text of which nothing is left has no tokens.
    """
    if processes < 2 or sum(map(len, texts)) < _PARALLEL_FROM:
        return _tokenize_chunk(texts, settings)
    chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
    # Spawned, not forked: TensorFlow's threads may be running already.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = pool.map(partial(_tokenize_chunk, settings=settings), chunks)
        return [tokens for part in parts for tokens in part]


def _tokenize_chunk(texts: Iterable[str], settings: PreprocessSettings) -> list[list[str]]:
    cut = segmenter(settings.segmenter, settings.dictionary)
    stop = stop_words(settings.stop_words)
    return [
        [token for token in cut(normalize(text, settings)) if token not in stop] for text in texts
    ]


def preprocess_digest(settings: PreprocessSettings) -> str:
    """Identify what the settings do to a text: their values and the content of their files."""
    record = settings.model_dump(mode="json")
    for key in ("dictionary", "stop_words"):
        value = record[key]
        if value is not None and Path(value).is_file():
            record[key] = digest(Path(value).read_bytes().hex())
    return digest(record)
