"""A corpus of any size to sequences of pieces on disk, with the words they belong to."""

from __future__ import annotations

import tempfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING

import numpy as np

from tuner.config import PreprocessSettings
from tuner.corpus import stream_texts
from tuner.errors import DataError
from tuner.persist import ArrayFileWriter, Cache, disk_errors
from tuner.pipeline.encoders import clean_for_encoder
from tuner.preprocess import detect_segmenter, segmenter
from tuner.records import StopRequested

if TYPE_CHECKING:
    import numpy.typing as npt

    from tuner.training.masked_language import Sequences

__all__ = ["CorpusPieces", "obtain_pieces"]

_VERSION = 3  # raised when the same corpus gives other pieces
_AT_ONCE = 1_000  # texts
_HELD_OUT_ONE_IN, _HELD_OUT_TEXTS = 20, 500
_FEWEST = 50  # texts to train on
_CHUNK = 1 << 20  # pieces


@dataclass(frozen=True, slots=True)
class CorpusPieces:
    """What a pretraining works on: the vocabulary, and sequences to train on and to look at."""

    vocabulary: tuple[str, ...]
    train: Sequences
    held_out: Sequences


def obtain_pieces(
    corpus: str,
    columns: tuple[str, ...],
    *,
    vocabulary_size: int,
    length: int,
    cache: Cache,
    key: str,
    stop_requested: StopRequested,
) -> CorpusPieces:
    """Cut a corpus into sequences, or take those that were cut before.

    The corpus is read twice, text by text: for the vocabulary, and for the pieces. A text longer
    than a sequence becomes several. About one text in 20, 500 at most, is held out, by its
    checksum, so that its copies are not trained on.

    Parameters
    ----------
    corpus, columns
        See `tuner.corpus.stream_texts`.
    vocabulary_size
        Pieces at most.
    length
        Pieces a sequence at most, start and end included.
    key
        Digest of the corpus and all the other parameters.

    Raises
    ------
    DataError
        If the corpus cannot be read, or has fewer than 50 different texts.
    """
    from tuner.training.masked_language import Sequences

    def cleaned() -> Iterator[list[str]]:
        texts = stream_texts(corpus, columns)
        while some := list(islice(texts, _AT_ONCE)):
            stop_requested()
            yield clean_for_encoder(some, PreprocessSettings())

    def make(writer: ArrayFileWriter) -> None:
        _write(writer, cleaned, corpus, vocabulary_size=vocabulary_size, length=length)

    entry = cache.obtain("corpus", f"{key}-{_VERSION}", make, stop_requested=stop_requested)
    vocabulary = tuple(bytes(entry["vocabulary"]).decode().split("\n"))
    train, held_out = (
        Sequences(entry[f"{part}/flat"], np.array(entry[f"{part}/ends"]), length, len(vocabulary))
        for part in ("train", "held_out")
    )
    return CorpusPieces(vocabulary, train, held_out)


@dataclass
class _Part:
    """Sequences as they come, their pieces in a temporary file."""

    file: IO[bytes]
    ends: array[int] = field(default_factory=lambda: array("q"))

    def add(self, pieces: npt.NDArray[np.uint16], room: int) -> None:
        self.file.write(pieces.tobytes())
        before = self.ends[-1] if self.ends else 0
        self.ends.extend(
            before + min(at + room, len(pieces)) for at in range(0, len(pieces), room)
        )

    def copy_to(self, writer: ArrayFileWriter, name: str) -> None:
        flat = writer.create(f"{name}/flat", (self.ends[-1],), np.uint16)
        self.file.seek(0)
        for start in range(0, len(flat), _CHUNK):
            stop = min(start + _CHUNK, len(flat))
            flat[start:stop] = np.frombuffer(self.file.read(2 * (stop - start)), np.uint16)
        writer.put(f"{name}/ends", np.frombuffer(self.ends, np.int64))


def _write(
    writer: ArrayFileWriter,
    cleaned: Callable[[], Iterator[list[str]]],
    corpus: str,
    *,
    vocabulary_size: int,
    length: int,
) -> None:
    from tuner.models.pretrained.bert_folder import learn_pieces

    vocabulary = learn_pieces((text for some in cleaned() for text in some), size=vocabulary_size)
    with (
        disk_errors(writer.folder),
        tempfile.TemporaryFile(dir=writer.folder) as first,
        tempfile.TemporaryFile(dir=writer.folder) as second,
    ):
        train, held_out = _Part(first), _Part(second)
        kept: set[int] = set()
        for checksum, pieces in _marked(cleaned(), vocabulary):
            is_drawn = checksum % _HELD_OUT_ONE_IN == 0 and len(kept) < _HELD_OUT_TEXTS
            if checksum in kept:
                continue
            if is_drawn or not kept:
                kept.add(checksum)
                held_out.add(pieces, length - 2)
            else:
                train.add(pieces, length - 2)
        if len(train.ends) < _FEWEST:
            raise DataError(
                f"{corpus}: a corpus must have at least {_FEWEST} texts to train on beside those "
                f"held out; got {len(train.ends)}."
            )
        writer.put("vocabulary", np.frombuffer("\n".join(vocabulary).encode(), np.uint8))
        train.copy_to(writer, "train")
        held_out.copy_to(writer, "held_out")


def _marked(
    cleaned: Iterator[list[str]], vocabulary: list[str]
) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """Give checksum and pieces of each text that has any, marked where a word begins."""
    from tuner.models.pretrained.bert_folder import piece_cutter
    from tuner.training.masked_language import WORD_BEGINS

    cut_pieces = piece_cutter(vocabulary)
    cut_words: Callable[[str], list[str]] | None = None
    for texts in cleaned:
        cut_words = cut_words or segmenter(detect_segmenter(texts))
        for text, found in zip(texts, cut_pieces(texts), strict=True):
            if found.ids:
                word_of = np.searchsorted(
                    _word_starts(text, cut_words(text)),
                    [start for start, _ in found.spans],
                    side="right",
                )
                begins = np.diff(word_of, prepend=-1) != 0
                pieces = np.array(found.ids, np.uint16)
                yield zlib.crc32(text.encode()), pieces | (WORD_BEGINS * begins).astype(np.uint16)


def _word_starts(text: str, words: list[str]) -> list[int]:
    starts = []
    place = 0
    for word in words:
        place = text.index(word, place)
        starts.append(place)
        place += len(word)
    return starts
