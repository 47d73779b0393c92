"""Token lists to id arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.config import FeatureSettings
from tuner.features.vocabulary import UNK, add_ngrams, build_vocabulary

__all__ = ["Encoded", "Encoder", "fit_encoder"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoded texts without padding.

    `flat` (n_tokens,) int32 holds all ids one text after the other, `lengths` (n,) int32 how
    many belong to each; every text has at least one.
    """

    flat: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.int32]:
        """Give some rows as an array (len(rows), length), cut or filled up with 0 = `[PAD]`."""
        starts = np.cumsum(self.lengths) - self.lengths
        out = np.zeros((len(rows), length), np.int32)
        for target, row in enumerate(rows):
            n = min(int(self.lengths[row]), length)
            out[target, :n] = self.flat[starts[row] : starts[row] + n]
        return out


@dataclass(frozen=True, slots=True)
class Encoder:
    """What was fitted on train: the vocabulary, the n-gram order and the length."""

    vocabulary: Mapping[str, int]
    ngrams: int
    max_tokens: int

    def encode(self, documents: Sequence[Sequence[str]]) -> Encoded:
        """Encode token lists; unknown tokens and empty texts become `[UNK]`."""
        unknown = self.vocabulary[UNK]
        ids = [
            [self.vocabulary.get(token, unknown) for token in self._tokens(tokens)] or [unknown]
            for tokens in documents
        ]
        lengths = np.fromiter(map(len, ids), np.int32, len(ids))
        flat = np.fromiter((i for row in ids for i in row), np.int32, int(lengths.sum()))
        return Encoded(flat, lengths)

    def _tokens(self, tokens: Sequence[str]) -> list[str]:
        # Pairs of the cut-off tail are never made: half of the entries are pairs at most.
        return add_ngrams(tokens[: self.max_tokens], self.ngrams)[: self.max_tokens]


def fit_encoder(
    documents: Sequence[Sequence[str]], settings: FeatureSettings, *, ngrams: int
) -> Encoder:
    """Fit vocabulary and length on the token lists of train, and on nothing else.

    Parameters
    ----------
    documents
        Token lists of train.
    settings
        Sizes and counts.
    ngrams
        1 or 2; `features.ngrams` with `auto` resolved.
    """
    expanded = [add_ngrams(tokens, ngrams) for tokens in documents]
    vocabulary = build_vocabulary(
        expanded,
        size=settings.vocabulary_size,
        min_count=settings.min_count,
        ngram_min_count=settings.ngram_min_count,
    )
    lengths = [max(1, len(tokens)) for tokens in expanded]
    length = int(np.ceil(np.percentile(lengths, settings.length_percentile)))
    return Encoder(vocabulary, ngrams, min(length, settings.max_tokens))
