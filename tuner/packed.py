"""Texts and token lists as a few arrays: small in memory, quick to send and to store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt

__all__ = ["PackedTexts", "PackedTokens", "TokenPiece", "ranges", "smallest_integers"]


def ranges(starts: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Give `starts[0], …, starts[0] + lengths[0] - 1, starts[1], …` as one array.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(np.asarray(starts, np.int64) - (ends - lengths), lengths) + np.arange(total)


def smallest_integers(values: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """Give numbers below `n` in 16 bits where these hold them, else in 32."""
    return values.astype(np.uint16 if n <= 1 << 16 else np.int32)


@dataclass(frozen=True, slots=True)
class PackedTexts(Sequence[str]):
    """n texts as UTF-8.

    `content` (n_bytes,) uint8 holds one after the other, `starts` (n + 1,) int64 says where each
    begins. Half a surrogate pair is kept as it is.
    """

    content: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]

    @classmethod
    def pack(cls, texts: Iterable[str]) -> PackedTexts:
        """Pack texts."""
        return cls.join([_encoded(texts)])

    @classmethod
    def join(cls, pieces: Sequence[tuple[bytes, npt.NDArray[np.int64]]]) -> PackedTexts:
        """Put pieces one behind the other, each of them content and length in bytes per text."""
        lengths = np.concatenate([np.zeros(1, np.int64), *(lengths for _, lengths in pieces)])
        content = np.frombuffer(b"".join(content for content, _ in pieces), np.uint8)
        return cls(content, np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[str]:
        places = self.starts.tolist()
        content = self.content.tobytes()
        for start, end in pairwise(places):
            yield content[start:end].decode("utf-8", "surrogatepass")

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> PackedTexts: ...
    def __getitem__(self, index: int | slice) -> str | PackedTexts:
        """Give one text, or a run of texts in their order."""
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError("packed texts are cut in steps of 1")
            places = self.starts[first : max(first, stop) + 1]
            return PackedTexts(self.content[places[0] : places[-1]], places - places[0])
        place = range(len(self))[index]
        piece = self.content[self.starts[place] : self.starts[place + 1]]
        return piece.tobytes().decode("utf-8", "surrogatepass")


def _encoded(texts: Iterable[str]) -> tuple[bytes, npt.NDArray[np.int64]]:
    pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(pieces), np.fromiter(map(len, pieces), np.int64, len(pieces))


@dataclass(frozen=True, slots=True)
class PackedTokens(Sequence[list[str]]):
    """n token lists as numbers.

    `lexicon` holds every token once, sorted by spelling; `ids` (n_tokens,) uint16 or int32 are
    places in it, one list after the other; `starts` (n + 1,) int64 says where each begins.
    """

    lexicon: tuple[str, ...]
    ids: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]

    @classmethod
    def pack(cls, documents: Iterable[Sequence[str]]) -> PackedTokens:
        """Pack token lists."""
        return cls.join([TokenPiece.pack(documents)])

    @classmethod
    def join(cls, pieces: Iterable[TokenPiece]) -> PackedTokens:
        """Put pieces one behind the other; how they were cut does not show in the result."""
        number_of: dict[str, int] = {}
        ids, lengths = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
        for piece in pieces:
            numbers = [number_of.setdefault(token, len(number_of)) for token in piece.lexicon]
            ids.append(np.array(numbers, np.int32)[piece.ids])
            lengths.append(piece.lengths)
        spelled = sorted(number_of)
        place_of = np.zeros(len(spelled), np.int32)
        place_of[[number_of[token] for token in spelled]] = np.arange(len(spelled))
        places = smallest_integers(place_of[np.concatenate(ids)], len(spelled))
        return cls(tuple(spelled), places, np.cumsum(np.concatenate(lengths)))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens per list, (n,)."""
        return np.diff(self.starts)

    def take(self, rows: npt.NDArray[np.intp]) -> PackedTokens:
        """Give some lists in the order of `rows`."""
        lengths = self.lengths[rows]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return PackedTokens(self.lexicon, self.ids[ranges(self.starts[rows], lengths)], starts)

    def without(self, tokens: Collection[str]) -> PackedTokens:
        """Give the lists without these tokens."""
        stays = np.array([token not in tokens for token in self.lexicon], bool)
        if stays.all():
            return self
        kept = stays[self.ids]
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
        return PackedTokens(self.lexicon, self.ids[kept], before[self.starts])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, index: int) -> list[str]: ...
    @overload
    def __getitem__(self, index: slice) -> PackedTokens: ...
    def __getitem__(self, index: int | slice) -> list[str] | PackedTokens:
        """Give one list, or some lists."""
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        place = range(len(self))[index]
        return [self.lexicon[i] for i in self.ids[self.starts[place] : self.starts[place + 1]]]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give named arrays, for the cache."""
        lexicon = PackedTexts.pack(self.lexicon)
        return {
            "lexicon": lexicon.content,
            "lexicon_starts": lexicon.starts,
            "ids": self.ids,
            "starts": self.starts,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> PackedTokens:
        """Read what `to_arrays` gave."""
        lexicon = tuple(PackedTexts(arrays["lexicon"], arrays["lexicon_starts"]))
        return cls(lexicon, arrays["ids"], arrays["starts"])


@dataclass(frozen=True, slots=True)
class TokenPiece:
    """Token lists on their way from one process to another.

    As `PackedTokens`, but the lexicon stands in order of occurrence; `lengths` (n,) int64.
    """

    lexicon: list[str]
    ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]

    @classmethod
    def pack(cls, documents: Iterable[Sequence[str]]) -> TokenPiece:
        """Pack token lists."""
        number_of: dict[str, int] = {}
        ids: list[int] = []
        lengths: list[int] = []
        for tokens in documents:
            ids += [number_of.setdefault(token, len(number_of)) for token in tokens]
            lengths.append(len(tokens))
        return cls(list(number_of), np.array(ids, np.int32), np.array(lengths, np.int64))
