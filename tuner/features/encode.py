"""Token lists to id arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tuner.config import FeatureSettings
from tuner.features.vocabulary import JOINT, UNK, blocks, build_vocabulary
from tuner.packed import PackedTokens, ranges, smallest_integers

__all__ = ["Encoded", "Encoder", "fit_encoder", "fit_length"]

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoded texts without padding.

    `flat` (n_tokens,) uint16 or int32 holds all ids one text after the other, `lengths` (n,)
    int32 how many belong to each; every text has at least one.
    """

    flat: npt.NDArray[np.uint16] | npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.int32]:
        """Give some rows as an array (len(rows), length), cut or filled up with 0 = `[PAD]`."""
        starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        out = np.zeros((len(rows), length), np.int32)
        step = max(1, _CELLS_AT_ONCE // length)
        for first in range(0, len(rows), step):
            chosen = rows[first : first + step]
            kept = np.minimum(self.lengths[chosen], length)
            is_token = np.arange(length) < kept[:, np.newaxis]
            out[first : first + step][is_token] = self.flat[ranges(starts[chosen], kept)]
        return out


@dataclass(frozen=True)
class Encoder:
    """What was fitted on train: the vocabulary, the n-gram order and the length."""

    vocabulary: Mapping[str, int]
    ngrams: int
    max_tokens: int

    def encode(self, documents: PackedTokens) -> Encoded:
        """Encode token lists; unknown tokens and empty texts become `[UNK]`.

        With pairs, each stands behind the token it opens, so that a cut keeps both kinds.
        """
        lookup = self._lookup
        piece_of = lookup.pieces(documents)
        lengths = self._lengths(documents)
        ends = np.cumsum(lengths, dtype=np.int64)
        flat = np.full(int(ends[-1]) if len(ends) else 0, self.vocabulary[UNK], np.int32)
        for block in blocks(documents):
            # The cut-off tail is never looked at.
            kept = np.minimum(documents.lengths[block], self.max_tokens)
            pieces = piece_of[documents.ids[ranges(documents.starts[:-1][block], kept)]]
            begins = (ends - lengths)[block]
            text_of = np.repeat(np.arange(len(kept)), kept)
            number = ranges(np.zeros(len(kept), np.int64), kept)
            places = begins[text_of] + self.ngrams * number
            is_inside = self.ngrams * number < lengths[block][text_of]
            flat[places[is_inside]] = lookup.single_ids[pieces[is_inside]]
            if self.ngrams == 2:
                is_pair = 2 * number + 1 < lengths[block][text_of]
                is_pair &= number + 1 < kept[text_of]
                opening = np.flatnonzero(is_pair)
                flat[places[opening] + 1] = lookup.pair_ids(pieces[opening], pieces[opening + 1])
        return Encoded(smallest_integers(flat, len(self.vocabulary)), lengths.astype(np.int32))

    def _lengths(self, documents: PackedTokens) -> npt.NDArray[np.int64]:
        return np.minimum(_expanded_lengths(documents, self.ngrams), self.max_tokens)

    @cached_property
    def _lookup(self) -> _Lookup:
        return _Lookup(self.vocabulary)


class _Lookup:
    """The vocabulary by numbers: every token in it or in a pair of it is a piece."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._unknown = vocabulary[UNK]
        self._piece_of: dict[str, int] = {}
        singles: dict[int, int] = {}
        pairs: list[tuple[int, int, int]] = []
        for token, number in vocabulary.items():
            first, joint, second = token.partition(JOINT)
            if joint:
                pairs.append((self._piece(first), self._piece(second), number))
            else:
                singles[self._piece(token)] = number
        self._n_pieces = len(self._piece_of) + 1  # the last one is any other token
        self.single_ids = np.full(self._n_pieces, self._unknown, np.int32)
        self.single_ids[list(singles)] = list(singles.values())
        table = np.array(pairs, np.int64).reshape(-1, 3)
        keys = table[:, 0] * self._n_pieces + table[:, 1]
        order = np.argsort(keys)
        self._pair_keys = keys[order]
        self._pair_ids = table[order, 2].astype(np.int32)

    def pieces(self, documents: PackedTokens) -> npt.NDArray[np.int64]:
        """Give the piece of every token of the lexicon."""
        other = self._n_pieces - 1
        return np.array([self._piece_of.get(token, other) for token in documents.lexicon], int)

    def pair_ids(
        self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """Give the ids of pairs of pieces."""
        keys = first * self._n_pieces + second
        if not len(self._pair_keys):
            return np.full(len(keys), self._unknown, np.int32)
        places = np.minimum(np.searchsorted(self._pair_keys, keys), len(self._pair_keys) - 1)
        return np.where(self._pair_keys[places] == keys, self._pair_ids[places], self._unknown)

    def _piece(self, token: str) -> int:
        return self._piece_of.setdefault(token, len(self._piece_of))


def fit_encoder(train: PackedTokens, settings: FeatureSettings, *, ngrams: int) -> Encoder:
    """Fit vocabulary and length on the token lists of train, and on nothing else.

    Parameters
    ----------
    train
        Token lists of train.
    settings
        Sizes and counts.
    ngrams
        1 or 2; `features.ngrams` with `auto` resolved.
    """
    vocabulary = build_vocabulary(
        train,
        ngrams=ngrams,
        size=settings.vocabulary_size,
        min_count=settings.min_count,
        ngram_min_count=settings.ngram_min_count,
    )
    return Encoder(vocabulary, ngrams, fit_length(train, settings, ngrams=ngrams))


def fit_length(train: PackedTokens, settings: FeatureSettings, *, ngrams: int) -> int:
    """Give the length at which texts are cut: a percentile of the train lengths, pairs counted."""
    lengths = _expanded_lengths(train, ngrams)
    length = int(np.ceil(np.percentile(lengths, settings.length_percentile)))
    return min(length, settings.max_tokens)


def _expanded_lengths(documents: PackedTokens, ngrams: int) -> npt.NDArray[np.int64]:
    """Count tokens and pairs of every text; an empty one has its `[UNK]`."""
    return np.maximum(ngrams * documents.lengths - (ngrams - 1), 1)
