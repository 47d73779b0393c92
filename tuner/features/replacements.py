"""What a token may be replaced by: its neighbours in the corpus, and its misspellings."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.features.encode import Encoded
from tuner.features.ngrams import Ngrams
from tuner.features.subwords import SubwordLengths, Subwords
from tuner.features.vocabulary import UNK

__all__ = ["Replacements", "fit_replacements"]

N_NEIGHBOURS = 5
N_MISSPELLINGS = 4
_TOKENS_MAX = 5_000
_COUNT_MIN = 5
_WINDOW = 3
_DIMENSIONS = 50


@dataclass(frozen=True)
class Replacements:
    """Tables by token id; a token that has no replacement stands for itself.

    `neighbours` (vocabulary_size, 5) int32, `misspellings` (vocabulary_size, 4) int32.
    """

    neighbours: npt.NDArray[np.int32]
    misspellings: npt.NDArray[np.int32]
    known: Ngrams
    ngrams: int
    subwords: Subwords | None = None
    """The pieces of every token of the vocabulary, by its id."""

    @property
    def is_single(self) -> npt.NDArray[np.bool_]:
        """Whether an id is that of a single token, (vocabulary_size,)."""
        return self.known.is_single

    def with_ngrams(self, singles: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Put the n-grams and the pieces of some texts where `Encoder` puts them.

        Parameters
        ----------
        singles
            (n, length), 0 behind each text. `[UNK]` has no pieces.

        Returns
        -------
        ndarray (n, at least length)
            0 behind each text.
        """
        text_of, places = np.nonzero(singles)
        tokens = singles[text_of, places].astype(np.int32)
        grid = self.known.beginning_at(tokens, text_of, self.ngrams)
        is_known = grid != 0
        flat, text_of_flat = grid[is_known], np.repeat(text_of, is_known.sum(axis=1))
        if self.subwords is not None:
            flat, text_of_flat = self.subwords.put_behind(flat, text_of_flat, tokens, text_of)
        lengths = np.bincount(text_of_flat, minlength=len(singles))
        out = np.zeros((len(singles), max(singles.shape[1], *lengths)), np.int64)
        out[np.arange(out.shape[1]) < lengths[:, None]] = flat
        return out


def fit_replacements(
    vocabulary: Mapping[str, int],
    train: Encoded,
    *,
    ngrams: int,
    subwords: SubwordLengths | None = None,
) -> Replacements:
    """Learn the replacements from the encoded texts of train, and from nothing else.

    Parameters
    ----------
    vocabulary
        Fitted on train.
    train
        With the n-grams behind the tokens they begin with.
    ngrams
        Longest of them.
    subwords
        Which pieces of words stand behind the texts; None for none.
    """
    known = Ngrams(vocabulary)
    words = [token if known.is_single[number] else "" for token, number in vocabulary.items()]
    words[vocabulary[UNK]] = ""
    return Replacements(
        _neighbours(vocabulary, train, known.is_single),
        _misspellings(vocabulary, known.is_single),
        known,
        ngrams,
        None if subwords is None else Subwords(words, subwords, vocabulary),
    )


def _neighbours(
    vocabulary: Mapping[str, int], train: Encoded, is_single: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """Give each frequent token the tokens that stand among the same words.

    Notes
    -----
    Positive pointwise mutual information in a window of 3, reduced to 50 dimensions by singular
    value decomposition, compared by cosine: Levy, Goldberg and Dagan 2015, TACL 3, section 3.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import ArpackError, svds

    size = len(vocabulary)
    table = np.repeat(np.arange(size, dtype=np.int32)[:, None], N_NEIGHBOURS, axis=1)
    text_of = np.repeat(np.arange(len(train)), train.lengths)
    at = is_single[train.flat]
    ids, text_of = train.flat[at].astype(np.int64), text_of[at]
    counts = np.bincount(ids, minlength=size)
    counts[: vocabulary[UNK] + 1] = 0
    chosen = np.argsort(-counts, kind="stable")[:_TOKENS_MAX]
    chosen = chosen[counts[chosen] >= _COUNT_MIN]
    if len(chosen) <= max(_DIMENSIONS, N_NEIGHBOURS):
        return table  # too few words for a likeness that means something
    number_of = np.full(size, -1)
    number_of[chosen] = np.arange(len(chosen))
    numbers = number_of[ids]
    rows, columns = [], []
    for distance in range(1, _WINDOW + 1):
        first, second = numbers[:-distance], numbers[distance:]
        is_near = (text_of[:-distance] == text_of[distance:]) & (first >= 0) & (second >= 0)
        rows += [first[is_near], second[is_near]]
        columns += [second[is_near], first[is_near]]
    ones = np.ones(sum(map(len, rows)))
    shape = (len(chosen), len(chosen))
    together = csr_matrix((ones, (np.concatenate(rows), np.concatenate(columns))), shape).tocoo()
    sums = np.asarray(together.sum(axis=1)).ravel()
    ratio = together.data * together.sum() / (sums[together.row] * sums[together.col])
    together.data = np.log(np.maximum(ratio, 1.0))
    if together.data.max(initial=0.0) < 1e-9:
        return table  # no two words stand together, or none more often than by chance
    start = np.random.default_rng(0).normal(size=len(chosen))
    try:
        left, values, _ = svds(together.tocsr(), k=_DIMENSIONS, v0=start)
    except ArpackError:  # too few pairs for so many dimensions
        return table
    vectors = left * np.sqrt(values)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    for begin in range(0, len(chosen), 1000):
        likeness = vectors[begin : begin + 1000] @ vectors.T
        own = np.arange(len(likeness))
        likeness[own, begin + own] = -np.inf
        best = np.argsort(-likeness, axis=1, kind="stable")[:, :N_NEIGHBOURS]
        table[chosen[begin : begin + 1000]] = chosen[best]
    return table


def _misspellings(
    vocabulary: Mapping[str, int], is_single: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """Give each token four misspellings; one that the vocabulary lacks is `[UNK]`."""
    singles = {
        token: number
        for token, number in vocabulary.items()
        if is_single[number] and number > vocabulary[UNK]
    }
    alphabet = sorted({character for token in singles for character in token})
    table = np.repeat(np.arange(len(vocabulary), dtype=np.int32)[:, None], N_MISSPELLINGS, axis=1)
    if len(alphabet) < 2:
        return table
    generator = random.Random(0)
    for token, number in singles.items():
        table[number] = [
            vocabulary.get(_misspelt(token, alphabet, generator), vocabulary[UNK])
            for _ in range(N_MISSPELLINGS)
        ]
    return table


def _misspelt(token: str, alphabet: Sequence[str], generator: random.Random) -> str:
    """Exchange, leave out, double or replace one character."""
    place = generator.randrange(len(token))
    kinds = ("replace", "double", "leave out", "exchange") if len(token) > 1 else ("replace",)
    kind = generator.choice(kinds)
    before, character, after = token[:place], token[place], token[place + 1 :]
    if kind == "exchange" and after:
        return f"{before}{after[0]}{character}{after[1:]}"
    if kind == "leave out":
        return before + after
    if kind == "double":
        return f"{before}{character}{character}{after}"
    return before + generator.choice(alphabet) + after
