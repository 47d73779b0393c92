"""Token lists to id arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tuner.config import FeatureSettings
from tuner.features.ngrams import Ngrams
from tuner.features.subwords import SUBWORD, SubwordLengths, Subwords
from tuner.features.vocabulary import UNK, blocks
from tuner.packed import PackedTokens, ranges, smallest_integers

__all__ = ["Encoded", "Encoder", "fit_length"]

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

    def cut(self, length: int) -> Encoded:
        """Give the texts without what stands behind their first `length` ids."""
        starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        kept = np.minimum(self.lengths, length)
        return Encoded(self.flat[ranges(starts, kept)], kept)

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
    """What was fitted on train: the vocabulary, the longest n-gram, the pieces and the length."""

    vocabulary: Mapping[str, int]
    ngrams: int
    max_tokens: int
    subwords: SubwordLengths | None = None

    @property
    def is_subword(self) -> npt.NDArray[np.bool_] | None:
        """Which entries of the vocabulary are pieces of words, (vocabulary_size,)."""
        if self.subwords is None:
            return None
        return np.array([token.startswith(SUBWORD) for token in self.vocabulary])

    def encode(self, documents: PackedTokens) -> Encoded:
        """Encode token lists; unknown tokens and empty texts become `[UNK]`.

        The n-grams that the vocabulary knows stand behind the token they begin with, so that a
        cut keeps all kinds; one that it does not know leaves no trace. Pieces of words, unknown
        ones too, stand behind the whole text.
        """
        single_of = self._numbers(documents.lexicon)
        parts_of = (
            None
            if self.subwords is None
            else Subwords(documents.lexicon, self.subwords, self.vocabulary)
        )
        pieces = [
            self._encode_block(documents, block, single_of, parts_of)
            for block in blocks(documents, with_pieces=parts_of is not None)
        ]
        none = np.zeros(0, np.int32)
        flat = np.concatenate([none, *(ids for ids, _ in pieces)])
        lengths = np.concatenate([none, *(lengths for _, lengths in pieces)])
        return Encoded(smallest_integers(flat, len(self.vocabulary)), lengths)

    def _encode_block(
        self,
        documents: PackedTokens,
        block: slice,
        single_of: npt.NDArray[np.int32],
        parts_of: Subwords | None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        # Every token leaves an id at least, so the cut-off tail is never looked at.
        kept = np.minimum(documents.lengths[block], self.max_tokens)
        text_of = np.repeat(np.arange(len(kept)), kept)
        tokens = documents.ids[ranges(documents.starts[:-1][block], kept)]
        grid = self._ngrams.beginning_at(single_of[tokens], text_of, self.ngrams)
        is_known = grid != 0
        flat = grid[is_known]  # token by token, each before the longer runs
        text_of_flat = np.repeat(text_of, is_known.sum(axis=1))
        if parts_of is not None:
            flat, text_of_flat = parts_of.put_behind(flat, text_of_flat, tokens, text_of)
        lengths = np.bincount(text_of_flat, minlength=len(kept))
        cut = np.minimum(lengths, self.max_tokens)
        flat = flat[ranges(np.cumsum(lengths) - lengths, cut)]
        # An empty text is one unknown token.
        is_empty = cut == 0
        flat = np.insert(flat, (np.cumsum(cut) - cut)[is_empty], self.vocabulary[UNK])
        return flat, np.maximum(cut, 1).astype(np.int32)

    def _numbers(self, lexicon: Sequence[str]) -> npt.NDArray[np.int32]:
        unknown = self.vocabulary[UNK]
        return np.array([self.vocabulary.get(token, unknown) for token in lexicon], np.int32)

    @cached_property
    def _ngrams(self) -> Ngrams:
        return Ngrams(self.vocabulary)


def fit_length(train: Encoded, settings: FeatureSettings) -> int:
    """Give the length at which texts are cut: a percentile of the encoded train lengths."""
    length = int(np.ceil(np.percentile(train.lengths, settings.length_percentile)))
    return min(length, settings.max_tokens)
