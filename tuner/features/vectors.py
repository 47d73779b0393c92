"""Word vectors trained elsewhere, for the words of a vocabulary."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tuner.errors import DataError
from tuner.features.encode import Encoded
from tuner.features.subwords import SUBWORD
from tuner.features.vocabulary import JOINT, PAD, UNK

__all__ = ["Coverage", "EmbeddingStart", "WordVectors", "read_vectors", "vectors_width"]

_WORD_BYTES_MAX = 4096
_FLOAT_BYTES = 4
_HEADER_BYTES_MAX = 100
_WIDTH_MAX = 100_000  # what claims more is damaged, and must not fill the memory


@dataclass(frozen=True)
class Coverage:
    """How many of a vocabulary's words have a vector.

    `n_words` and `n_found` count words, no n-grams, pieces of words or special entries;
    `token_share` is the share of the train tokens that the words found make up.
    """

    n_words: int
    n_found: int
    token_share: float

    def as_json(self) -> dict[str, float]:
        """Give JSON-ready data."""
        return {**asdict(self), "token_share": round(self.token_share, 4)}


@dataclass(frozen=True)
class EmbeddingStart:
    """Rows of an embedding that start from word vectors.

    `ids` (n,) int64 are token ids, rising; `values` (n, width) float32 their vectors.
    """

    ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]


class WordVectors:
    """Vectors by word, all finite, (n, width) float32."""

    def __init__(self, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._vectors = vectors

    def start(
        self, vocabulary: Mapping[str, int], train: Encoded
    ) -> tuple[EmbeddingStart, Coverage]:
        """Give the rows for a vocabulary, and how much of it and of train they cover.

        Parameters
        ----------
        vocabulary
            Token to id; n-grams and pieces of words have no vector.
        train
            The encoded texts of train.
        """
        found = {
            number: self._vectors[token]
            for token, number in vocabulary.items()
            if token in self._vectors
        }
        ids = np.array(sorted(found), np.int64)
        width = len(next(iter(self._vectors.values())))
        values = np.array([found[number] for number in ids.tolist()], np.float32)
        has_vector = np.zeros(len(vocabulary), bool)
        has_vector[ids] = True
        is_single = np.array(
            [JOINT not in token and not token.startswith(SUBWORD) for token in vocabulary]
        )
        tokens = train.flat[is_single[train.flat]]
        n_words = int(is_single.sum()) - len((PAD, UNK))
        share = float(has_vector[tokens].mean()) if len(tokens) else 0.0
        return EmbeddingStart(ids, values.reshape(-1, width)), Coverage(n_words, len(ids), share)


def read_vectors(path: str | Path, words: Container[str]) -> WordVectors:
    """Read the vectors of some words from a file, keeping no others in memory.

    Parameters
    ----------
    path
        By its ending: `.npz` with the arrays `words` (n,) of strings and `vectors` (n, width);
        `.bin`, word2vec's binary format; anything else is word2vec's text format, with or without
        the line of sizes. The last two may be compressed (`.gz`).
    words
        Those wanted. Of a word that stands in the file twice, the first vector is taken.

    Raises
    ------
    DataError
        If the file is missing, broken, or holds none of the words; names the place.

    Notes
    -----
    Both word2vec formats are those of Mikolov et al.'s `word2vec.c`: a line with the number of
    words and the width, then word, blank, and as many numbers (text, or float32 little-endian).
    """
    path = Path(path)
    found: dict[str, npt.NDArray[np.float32]] = {}
    with _file_errors(path):
        for word, vector in _READERS.get(_kind(path), _from_text)(path, words):
            if not np.isfinite(vector).all():
                raise DataError(f"{path}: the vector of {word!r} must have finite numbers.")
            found.setdefault(word, vector)
    if not found:
        raise DataError(f"{path}: holds a vector of none of the words in the texts.")
    return WordVectors(found)


def vectors_width(path: str | Path) -> int:
    """Give the numbers of a vector in a file, see `read_vectors`, from its beginning alone.

    Raises
    ------
    DataError
        If the file is missing or broken.
    """
    path = Path(path)
    with _file_errors(path):
        _, vector = next(_READERS.get(_kind(path), _from_text)(path, _Everything()), (None, None))
    if vector is None:
        raise DataError(f"{path}: the file is empty.")
    return len(vector)


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


def _kind(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").rpartition(".")[2]


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise DataError(f"{path}: cannot be read: {reason}.") from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


Pairs = Iterator[tuple[str, npt.NDArray[np.float32]]]


def _from_npz(path: Path, words: Container[str]) -> Pairs:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise DataError(f"{path}: must hold the arrays words and vectors; got one array.")
        with loaded as arrays:
            missing = {"words", "vectors"} - set(arrays.files)
            if missing:
                raise DataError(
                    f"{path}: must hold the arrays words and vectors; got "
                    f"{', '.join(arrays.files) or 'none'}."
                )
            names, vectors = arrays["words"], arrays["vectors"]
    except (ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an .npz file of strings and numbers: {error}.") from error
    is_right = names.ndim == 1 and names.dtype.kind == "U"
    is_right = is_right and vectors.ndim == 2 and vectors.dtype.kind in "fiu" and vectors.size
    if not is_right:
        raise DataError(
            f"{path}: words must be strings (n,) and vectors numbers (n, width); got "
            f"{names.dtype} {names.shape} and {vectors.dtype} {vectors.shape}."
        )
    if len(names) != len(vectors):
        raise DataError(f"{path}: {len(names)} words, but {len(vectors)} vectors.")
    for word, vector in zip(names.tolist(), vectors, strict=True):
        if word in words:
            yield word, vector.astype(np.float32)


def _from_text(path: Path, words: Container[str]) -> Pairs:
    width = n_words = n_read = 0
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            cells = line.rstrip().split(b" ")
            if number == 1 and len(cells) == 2 and all(cell.isdigit() for cell in cells):
                n_words, width = map(int, cells)
                continue
            if len(cells) < 2:
                if not line.strip():
                    continue
                raise DataError(
                    f"{path}, line {number}: must be a word and its numbers, with blanks between."
                )
            width = width or len(cells) - 1
            # A word may have blanks in it, so the numbers are counted from the end.
            if len(cells) <= width:
                raise DataError(
                    f"{path}, line {number}: must have {width} numbers behind the word; got "
                    f"{len(cells) - 1}."
                )
            n_read += 1
            word = b" ".join(cells[:-width]).decode("utf-8", "replace")
            if word in words:
                try:
                    yield word, np.array(cells[-width:], dtype=np.float64).astype(np.float32)
                except ValueError as error:
                    raise DataError(
                        f"{path}, line {number}: must have {width} numbers behind the word "
                        f"{word!r}."
                    ) from error
    if n_read < n_words:
        raise DataError(
            f"{path}: ends after {n_read:,} of the {n_words:,} words of its first line; "
            "it is not whole."
        )


def _from_binary(path: Path, words: Container[str]) -> Pairs:
    with _open(path) as file:
        header = file.readline(_HEADER_BYTES_MAX).split()
        if len(header) != 2 or not all(cell.isdigit() for cell in header):
            raise DataError(f"{path}: must begin with the number of words and the width.")
        n_words, width = map(int, header)
        if not 0 < width <= _WIDTH_MAX:
            raise DataError(f"{path}: a vector cannot have {width:,} numbers; it is damaged.")
        for number in range(1, n_words + 1):
            word = _word(file)
            raw = file.read(_FLOAT_BYTES * width)
            if word is None or len(raw) < _FLOAT_BYTES * width:
                raise DataError(
                    f"{path}: ends within vector {number:,} of {n_words:,}; it is not whole, or "
                    "not in word2vec's binary format."
                )
            if word in words:
                yield word, np.frombuffer(raw, "<f4").astype(np.float32)


def _word(file: Any) -> str | None:
    """Read up to the blank behind a word; None where the file ends or none comes."""
    word = bytearray()
    while len(word) < _WORD_BYTES_MAX:
        byte = file.read(1)
        if byte == b" ":
            return bytes(word).lstrip(b"\n").decode("utf-8", "replace")
        if not byte:
            return None
        word += byte
    return None


_READERS = {"npz": _from_npz, "bin": _from_binary}
