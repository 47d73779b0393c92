"""Which n-grams of a vocabulary begin at each token of a text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tuner.features.subwords import SUBWORD
from tuner.features.vocabulary import JOINT

__all__ = ["Ngrams"]


class Ngrams:
    """The n-grams of a vocabulary by what they begin with and their last token.

    Parameters
    ----------
    vocabulary
        Token to id; an n-gram stands behind what it begins with and behind each of its tokens,
        see `build_vocabulary`. One of which a part is missing is never found.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._size = len(vocabulary)
        self.is_single = np.ones(self._size, bool)
        """Whether an id is that of a single token, `[UNK]` among them, (vocabulary_size,)."""
        self.is_single[0] = False
        found = []
        for token, number in vocabulary.items():
            if token.startswith(SUBWORD):
                self.is_single[number] = False
                continue
            beginning, joint, last = token.rpartition(JOINT)
            if joint:
                self.is_single[number] = False
                if beginning in vocabulary and last in vocabulary:
                    found.append((vocabulary[beginning] * self._size + vocabulary[last], number))
        table = np.array(sorted(found), np.int64).reshape(-1, 2)
        self._keys = table[:, 0]
        self._ids = table[:, 1].astype(np.int32)

    def beginning_at(
        self, singles: npt.NDArray[np.int32], text_of: npt.NDArray[np.int64], n: int
    ) -> npt.NDArray[np.int32]:
        """Give the runs of 1, …, n tokens that begin at each token.

        Parameters
        ----------
        singles
            Ids of the tokens of some texts, one text after the other, (n_tokens,).
        text_of
            The number of each token's text, (n_tokens,).
        n
            Longest run.

        Returns
        -------
        ndarray (n_tokens, n) int32
            Column k holds the id of the run of k + 1 tokens, 0 where the vocabulary has none.
        """
        out = np.zeros((len(singles), n), np.int32)
        out[:, :1] = singles[:, None]
        for k in range(1, n):
            starts = np.flatnonzero((out[:-k, k - 1] != 0) & (text_of[:-k] == text_of[k:]))
            out[starts, k] = self._found(out[starts, k - 1], singles[starts + k])
        return out

    def _found(
        self, beginnings: npt.NDArray[np.int32], last: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        if not len(self._keys):
            return np.zeros(len(last), np.int32)
        keys = beginnings.astype(np.int64) * self._size + last
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._ids[places], 0).astype(np.int32)
