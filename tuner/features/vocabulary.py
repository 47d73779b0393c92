"""The vocabulary, fitted on train alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tuner.features.subwords import SubwordLengths, Subwords
from tuner.packed import PackedTokens

__all__ = ["JOINT", "PAD", "UNK", "blocks", "build_vocabulary"]

PAD, UNK = "[PAD]", "[UNK]"
JOINT = "\x1f"
"""Between the tokens of an n-gram; never inside one: control characters are cleaned away."""

_Counts: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

_BLOCK_TOKENS = 2_000_000  # what is worked on at once: tens of megabytes
_BLOCK_WORDS = 200_000  # of which all pieces are
_RUNS_HELD = 16_000_000


def build_vocabulary(
    train: PackedTokens,
    *,
    ngrams: int,
    size: int,
    min_count: int,
    ngram_min_count: int,
    subwords: SubwordLengths | None = None,
) -> dict[str, int]:
    """Give the tokens of the train texts, their n-grams and pieces numbers by falling frequency.

    Parameters
    ----------
    train
        Token lists of train.
    ngrams
        Longest run of neighbouring tokens that is counted, written with `JOINT` between them.
    size
        Entries at most, `[PAD]` (0) and `[UNK]` (1) counted.
    min_count, ngram_min_count
        Texts a single token, or a longer run of such tokens or a piece, must occur in.
    subwords
        Which pieces of tokens are counted besides, see `Subwords`; None for none.

    Returns
    -------
    dict
        Token to id, ids 0 to at most `size - 1`; of equal frequency the shorter run comes first,
        pieces last, then they go by spelling. So what a run begins with, and each of its tokens,
        stand before it.

    >>> texts = PackedTokens.pack([["不", "好"], ["不", "好", "看"]])
    >>> found = build_vocabulary(texts, ngrams=2, size=6, min_count=1, ngram_min_count=2)
    >>> [token.replace(JOINT, "+") for token in found]
    ['[PAD]', '[UNK]', '不', '好', '不+好', '看']
    """
    counts = _count_tokens(train)
    singles = np.flatnonzero(counts >= min_count)
    levels = _Levels(len(train.lexicon), singles)
    runs, frequency = [singles[:, None]], [counts[singles]]
    for _ in range(2, ngrams + 1):
        keys, n_texts = _count_runs(train, levels)
        is_frequent = n_texts >= ngram_min_count
        keys = keys[is_frequent]
        beginnings, last = np.divmod(keys, levels.n_types)
        runs.append(np.column_stack([runs[-1][beginnings], last]))
        frequency.append(n_texts[is_frequent])
        levels.add(keys)
    spell = [partial(_run, train.lexicon, level) for level in runs]
    if subwords is not None:
        known = Subwords(train.lexicon, subwords)
        keys, n_texts = _count_pieces(train, known)
        is_frequent = n_texts >= ngram_min_count
        frequency.append(n_texts[is_frequent])
        spell.append(partial(_piece, known.spelled, keys[is_frequent]))
    # The lexicon is sorted, and so are the keys of a level: numbers rise as the spellings do.
    order = np.argsort(-np.concatenate(frequency), kind="stable")[: size - 2]
    level_of = np.repeat(np.arange(len(frequency)), [len(level) for level in frequency])[order]
    first_of = np.cumsum([0, *(len(level) for level in frequency)])
    tokens = (  # of those that were chosen alone: there can be a hundred times as many
        spell[level](place)
        for level, place in zip(
            level_of.tolist(), (order - first_of[level_of]).tolist(), strict=True
        )
    )
    return {PAD: 0, UNK: 1, **{token: number for number, token in enumerate(tokens, start=2)}}


def _run(lexicon: Sequence[str], runs: npt.NDArray[np.int64], place: int) -> str:
    return JOINT.join(lexicon[token] for token in runs[place].tolist())


def _piece(spelled: Sequence[str], pieces: npt.NDArray[np.int64], place: int) -> str:
    return spelled[int(pieces[place])]


class _Levels:
    """The frequent runs of each length, and which of them begins at every place of a text.

    Parameters
    ----------
    n_types
        Different tokens.
    singles
        Numbers of the frequent ones, rising.
    """

    def __init__(self, n_types: int, singles: npt.NDArray[np.int64]) -> None:
        self.n_types = n_types
        self._single_of = np.full(n_types, -1)
        self._single_of[singles] = np.arange(len(singles))
        self._keys: list[npt.NDArray[np.int64]] = []

    def add(self, keys: npt.NDArray[np.int64]) -> None:
        """Add the frequent runs of the next length, by rising key, see `candidates`."""
        self._keys.append(keys)

    def candidates(
        self, ids: npt.NDArray[np.int64], text_of: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the runs of the next length that can be frequent, and the text of each.

        A run is as frequent as what it begins and ends with at most. Its key is the number of
        what it begins with times `n_types` plus its last token.
        """
        begins = self._single_of[ids]
        for n_more, known in enumerate(self._keys, start=1):
            keys, is_run = self._longer(begins, ids[n_more:], text_of[n_more:], text_of)
            begins = np.full(len(keys), -1)
            if len(known):
                places = np.minimum(np.searchsorted(known, keys[is_run]), len(known) - 1)
                begins[is_run] = np.where(known[places] == keys[is_run], places, -1)
        n_more = len(self._keys) + 1
        keys, is_run = self._longer(begins, ids[n_more:], text_of[n_more:], text_of)
        return keys[is_run], text_of[: len(keys)][is_run]

    def _longer(
        self,
        begins: npt.NDArray[np.int64],
        last: npt.NDArray[np.int64],
        text_of_last: npt.NDArray[np.int64],
        text_of: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Give the keys of the runs one token longer than `begins`, and which are ones."""
        is_run = (begins[:-1] >= 0) & (begins[1:] >= 0)
        is_run &= text_of[: len(last)] == text_of_last
        return begins[:-1] * self.n_types + last, is_run


def blocks(tokens: PackedTokens, *, with_pieces: bool = False) -> Iterator[slice]:
    """Cut the lists into runs that are worked on at once, shorter where all pieces are too."""
    block_of = tokens.starts[:-1] // (_BLOCK_WORDS if with_pieces else _BLOCK_TOKENS)
    edges = np.flatnonzero(np.diff(block_of, prepend=-1, append=-1)).tolist()
    for start, stop in pairwise(edges):
        yield slice(start, stop)


def _count_tokens(documents: PackedTokens) -> npt.NDArray[np.int64]:
    """Count the texts each token of the lexicon occurs in."""
    counts = np.zeros(len(documents.lexicon), np.int64)
    for piece, text_of in _in_blocks(documents):
        tokens, n_texts = _text_counts(piece.ids.astype(np.int64), text_of)
        counts[tokens] += n_texts
    return counts


def _count_runs(documents: PackedTokens, levels: _Levels) -> _Counts:
    """Give the keys of the runs of the next length, rising, and the texts each occurs in."""
    return _tally(
        _text_counts(*levels.candidates(piece.ids.astype(np.int64), text_of))
        for piece, text_of in _in_blocks(documents)
    )


def _count_pieces(documents: PackedTokens, known: Subwords) -> _Counts:
    """Give the numbers of the pieces of all tokens, rising, and the texts each occurs in."""

    def counts(piece: PackedTokens, text_of: npt.NDArray[np.int64]) -> _Counts:
        numbers, n_pieces = known.of(piece.ids)
        return _text_counts(numbers, np.repeat(text_of, n_pieces))

    return _tally(counts(*found) for found in _in_blocks(documents, with_pieces=True))


def _in_blocks(
    documents: PackedTokens, *, with_pieces: bool = False
) -> Iterator[tuple[PackedTokens, npt.NDArray[np.int64]]]:
    """Give the lists by blocks, each with the number of every token's list."""
    for block in blocks(documents, with_pieces=with_pieces):
        piece = documents[block]
        yield piece, np.repeat(np.arange(len(piece)), piece.lengths)


def _tally(found: Iterable[_Counts]) -> _Counts:
    """Add up counts by their key, few of them held at once."""
    none = np.zeros(0, np.int64)
    held: list[_Counts] = [(none, none)]
    for counts in found:
        held.append(counts)
        if sum(len(keys) for keys, _ in held) > _RUNS_HELD:
            held = [_merged(held)]
    return _merged(held)


def _text_counts(keys: npt.NDArray[np.int64], text_of: npt.NDArray[np.int64]) -> _Counts:
    """Give the keys, rising, and the texts each occurs in; `text_of` rises.

    By a stable sort, which leaves the texts of a key in their order: `numpy.unique` hashes since
    NumPy 2.3, and took ten times as long on these.
    """
    order = np.argsort(keys, kind="stable")
    found, texts = keys[order], text_of[order]
    starts = np.flatnonzero(np.diff(found, prepend=-1))
    is_counted = np.diff(texts, prepend=-1) != 0
    is_counted[starts] = True
    return found[starts], _sums(is_counted.astype(np.int64), starts)


def _merged(held: Sequence[_Counts]) -> _Counts:
    keys = np.concatenate([keys for keys, _ in held])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], _sums(np.concatenate([counts for _, counts in held])[order], starts)


def _sums(values: npt.NDArray[np.int64], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """Add up the values from each start to the next."""
    if not len(starts):
        return np.zeros(0, np.int64)
    sums: npt.NDArray[np.int64] = np.add.reduceat(values, starts)
    return sums
