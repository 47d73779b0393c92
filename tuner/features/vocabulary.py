"""The vocabulary, fitted on train alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tuner.packed import PackedTokens, ranges

__all__ = ["JOINT", "PAD", "UNK", "blocks", "build_vocabulary"]

PAD, UNK = "[PAD]", "[UNK]"
JOINT = "\x1f"
"""Between the tokens of a pair; never inside one: control characters are cleaned away."""

_Counts: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

_BLOCK_TOKENS = 2_000_000  # what is worked on at once: tens of megabytes
_PAIRS_HELD = 16_000_000


def build_vocabulary(
    train: PackedTokens, *, ngrams: int, size: int, min_count: int, ngram_min_count: int
) -> dict[str, int]:
    """Give the tokens of the train texts, and their pairs, numbers by falling frequency.

    Parameters
    ----------
    train
        Token lists of train.
    ngrams
        2 counts pairs of neighbours too, written `token JOINT token`.
    size
        Entries at most, `[PAD]` (0) and `[UNK]` (1) counted.
    min_count, ngram_min_count
        Texts a single token, or a pair, must occur in.

    Returns
    -------
    dict
        Token to id, ids 0 to at most `size - 1`; ties in frequency go by spelling.

    >>> texts = PackedTokens.pack([["不", "好"], ["不", "好", "看"]])
    >>> found = build_vocabulary(texts, ngrams=2, size=6, min_count=1, ngram_min_count=2)
    >>> [token.replace(JOINT, "+") for token in found]
    ['[PAD]', '[UNK]', '不', '不+好', '好', '看']
    """
    n_types = len(train.lexicon)
    counts = _count_tokens(train)
    first = np.flatnonzero(counts >= min_count)
    second = np.full(len(first), -1)
    frequency = counts[first]
    if ngrams == 2:
        pairs, n_texts = _count_pairs(train)
        frequent = n_texts >= ngram_min_count
        pairs = pairs[frequent]
        first = np.concatenate([first, pairs // n_types])
        second = np.concatenate([second, pairs % n_types])
        frequency = np.concatenate([frequency, n_texts[frequent]])
    # The lexicon is sorted and JOINT sorts before whatever a token holds, so the order of the
    # numbers, a single token before its pairs, is the order of the spellings.
    order = np.lexsort((second, first, -frequency))[: size - 2]
    tokens = (
        train.lexicon[a] if b < 0 else f"{train.lexicon[a]}{JOINT}{train.lexicon[b]}"
        for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True)
    )
    return {PAD: 0, UNK: 1, **{token: number for number, token in enumerate(tokens, start=2)}}


def blocks(tokens: PackedTokens) -> Iterator[slice]:
    """Cut the lists into runs that are worked on at once."""
    block_of = tokens.starts[:-1] // _BLOCK_TOKENS
    edges = np.flatnonzero(np.diff(block_of, prepend=-1, append=-1)).tolist()
    for start, stop in pairwise(edges):
        yield slice(start, stop)


def _count_tokens(documents: PackedTokens) -> npt.NDArray[np.int64]:
    """Count the texts each token of the lexicon occurs in."""
    counts = np.zeros(len(documents.lexicon), np.int64)
    for block in blocks(documents):
        piece = documents[block]
        text_of = np.repeat(np.arange(len(piece)), piece.lengths)
        tokens, n_texts = _text_counts(piece.ids.astype(np.int64), text_of)
        counts[tokens] += n_texts
    return counts


def _count_pairs(documents: PackedTokens) -> _Counts:
    """Give the pairs as `first * n_types + second`, rising, and the texts each occurs in."""
    none = np.zeros(0, np.int64)
    held: list[_Counts] = [(none, none)]
    for block in blocks(documents):
        piece = documents[block]
        lengths = np.maximum(piece.lengths - 1, 0)
        places = ranges(piece.starts[:-1], lengths)
        pairs = piece.ids[places].astype(np.int64) * len(documents.lexicon) + piece.ids[places + 1]
        held.append(_text_counts(pairs, np.repeat(np.arange(len(piece)), lengths)))
        if sum(len(pairs) for pairs, _ in held) > _PAIRS_HELD:
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
