"""The vocabulary, fitted on train alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["PAD", "UNK", "add_ngrams", "build_vocabulary"]

PAD, UNK = "[PAD]", "[UNK]"
_JOINT = "\x1f"  # never inside a token: control characters are cleaned away


def add_ngrams(tokens: Sequence[str], n: int) -> list[str]:
    """Put behind every token the pair it opens (n = 2), so that a cut keeps both kinds.

    >>> [t.replace(chr(31), "+") for t in add_ngrams(["不", "好", "看"], 2)]
    ['不', '不+好', '好', '好+看', '看']
    """
    if n == 1:
        return list(tokens)
    out: list[str] = []
    for place, token in enumerate(tokens):
        out.append(token)
        if place + 1 < len(tokens):
            out.append(f"{token}{_JOINT}{tokens[place + 1]}")
    return out


def build_vocabulary(
    documents: Iterable[Sequence[str]], *, size: int, min_count: int, ngram_min_count: int
) -> dict[str, int]:
    """Give the tokens of the train texts numbers, by falling frequency.

    Parameters
    ----------
    documents
        Token lists of train, n-grams included.
    size
        Entries at most, `[PAD]` (0) and `[UNK]` (1) counted.
    min_count, ngram_min_count
        Texts a single token, or a pair, must occur in.

    Returns
    -------
    dict
        Token to id, ids 0 to at most `size - 1`; ties in frequency go by spelling.
    """
    counts: Counter[str] = Counter()
    for tokens in documents:
        counts.update(set(tokens))
    frequent = [
        (token, count)
        for token, count in counts.items()
        if count >= (ngram_min_count if _JOINT in token else min_count)
    ]
    frequent.sort(key=lambda item: (-item[1], item[0]))
    vocabulary: Mapping[str, int] = {
        token: index for index, (token, _) in enumerate(frequent[: size - 2], start=2)
    }
    return {PAD: 0, UNK: 1, **vocabulary}
