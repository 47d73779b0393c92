"""Token lists as one array, to count spans and neighbours quickly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["PairsWithout", "TokenIndex"]


class TokenIndex:
    """All documents in one array of token numbers, each between a start and an end mark."""

    START, END = 0, 1

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        number: dict[str, int] = {}
        flat: list[int] = []
        starts = [0]
        for document in documents:
            flat.append(self.START)
            flat.extend(number.setdefault(token, len(number) + 2) for token in document)
            flat.append(self.END)
            starts.append(len(flat))
        self._names = ["", "", *number]
        self._array = np.array(flat, np.int64)
        self._document = np.repeat(np.arange(len(documents)), np.diff(starts))
        self._starts = starts
        self.tokens = flat
        """The array as a list, which is quicker to read one by one."""
        self._pairs, self._pair_counts = self._count_pairs(np.arange(len(flat) - 1))

    def shown(self, span: tuple[int, ...]) -> str:
        """Give a span as text: Han words run together, others stand apart."""
        words = [self._names[token] for token in span]
        return ("" if any("\u4e00" <= word[0] <= "\u9fff" for word in words) else " ").join(words)

    def frequent_spans(
        self, n_min: int, length_max: int
    ) -> Iterator[tuple[tuple[int, ...], npt.NDArray[np.int64]]]:
        """Give the spans of 1 to `length_max` tokens in at least `n_min` documents, with these."""
        n_documents = len(self._starts) - 1
        # spans[i]: number of the span that starts at i, -1 where it is not frequent
        spans = np.where(self._array > self.END, self._array, -1)
        for length in range(1, length_max + 1):
            if length > 1:
                size = len(spans) - 1
                if size < 1:
                    return
                last = self._array[length - 1 :][:size]
                both = (spans[:size] >= 0) & (spans[1:] >= 0)
                spans = np.where(both, spans[:size] * len(self._names) + last, -1)
            at = np.flatnonzero(spans >= 0)
            if not len(at):
                return
            _, where, inverse = np.unique(spans[at], return_index=True, return_inverse=True)
            once = np.unique(inverse * n_documents + self._document[at])
            span_of, document = once // n_documents, once % n_documents
            counts = np.bincount(span_of)
            bounds = np.concatenate([[0], np.cumsum(counts)])
            for found in np.flatnonzero(counts >= n_min):
                begin = int(at[where[found]])
                yield (
                    tuple(self.tokens[begin : begin + length]),
                    document[bounds[found] : bounds[found + 1]],
                )
            spans = np.full(len(spans), -1)
            spans[at] = np.where(counts[inverse] >= n_min, inverse, -1)

    def place_of(self, span: tuple[int, ...], row: int) -> tuple[int, int]:
        """Give where a span first stands in a document, as [begin, end) in the array."""
        for begin in range(self._starts[row] + 1, self._starts[row + 1] - len(span)):
            if tuple(self.tokens[begin : begin + len(span)]) == span:
                return begin, begin + len(span)
        raise ValueError("the document does not hold the span")

    def tokens_outside(self, row: int, place: tuple[int, int] | None) -> set[int]:
        """Give a document's tokens without a place, each once."""
        begin, end = self._starts[row] + 1, self._starts[row + 1] - 1
        if place is None:
            return set(self.tokens[begin:end])
        return {*self.tokens[begin : place[0]], *self.tokens[place[1] : end]}

    def pair(self, left: int, right: int) -> int:
        """Give the number of a pair of neighbours."""
        return left * len(self._names) + right

    def pairs_without(self, rows: npt.NDArray[np.int64]) -> PairsWithout:
        """Give the pairs of neighbours in the documents that are not among `rows`."""
        at = np.concatenate(
            [np.arange(self._starts[row], self._starts[row + 1] - 1) for row in rows]
        )
        pairs, counts = self._count_pairs(at)
        left = self._pair_counts.copy()
        left[np.searchsorted(self._pairs, pairs)] -= counts
        return PairsWithout(self, rows, left)

    def _count_pairs(
        self, at: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Count in how many documents each pair of neighbours stands."""
        at = at[self._document[at] == self._document[at + 1]]
        pairs, inverse = np.unique(
            self._array[at] * len(self._names) + self._array[at + 1], return_inverse=True
        )
        n_documents = len(self._starts) - 1
        once = np.unique(inverse * n_documents + self._document[at])
        return pairs, np.bincount(once // n_documents, minlength=len(pairs))


class PairsWithout:
    """The pairs of neighbours in all documents but some."""

    def __init__(
        self, index: TokenIndex, rows: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
    ) -> None:
        self._index = index
        self._rows = rows
        self._counts = counts

    def have(self, pairs: npt.NDArray[np.int64], *, at_least: int = 1) -> npt.NDArray[np.bool_]:
        """Tell for each pair whether at least so many of these documents hold it."""
        known = self._index._pairs
        at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
        return np.asarray((known[at] == pairs) & (self._counts[at] >= at_least), dtype=np.bool_)

    def usual_inside(self, places: Sequence[tuple[int, int]]) -> float:
        """Give the share of the left-out documents' own pairs that these documents have.

        Pairs that touch a document's place do not count, nor do its first and last one.
        """
        index = self._index
        pairs = [
            index.pair(index.tokens[at], index.tokens[at + 1])
            for row, (begin, end) in zip(self._rows.tolist(), places, strict=True)
            for at in range(index._starts[row] + 1, index._starts[row + 1] - 2)
            if at < begin - 1 or at >= end
        ]
        return float(self.have(np.array(pairs)).mean()) if pairs else 1.0

    def usual_at_edge(self, *, start: bool) -> float:
        """Give the share of these documents whose first (last) pair another one has too."""
        index = self._index
        keep = np.setdiff1d(np.arange(len(index._starts) - 1), self._rows)
        starts = np.array(index._starts)
        at = starts[keep] if start else starts[keep + 1] - 2
        if not len(at):
            return 1.0
        pairs = index._array[at] * len(index._names) + index._array[at + 1]
        return float(self.have(pairs, at_least=2).mean())
