"""A corpus cut into sequences, and the order in which training goes through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.training.masked_language.masking import N_SPECIAL, MaskedBatch, mask_words

__all__ = ["START", "WORD_BEGINS", "Sequences", "Turn"]

START, END = 2, 3  # ids of [CLS] and [SEP]
WORD_BEGINS = np.uint16(1 << 15)
"""Added to the id of a piece that a word begins with; a vocabulary has fewer pieces than that."""

_STEPS_A_TURN = 8
_SHORTEST = 16
_SHAPES = 4  # lengths that sequences are filled up to


@dataclass(frozen=True, slots=True)
class Turn:
    """Batches of one padded length that follow each other: `rows` (n_steps, batch)."""

    rows: npt.NDArray[np.int64]
    length: int


@dataclass(frozen=True)
class Sequences:
    """Sequences of pieces, without start and end.

    `flat` (n_pieces,) uint16, perhaps mapped from disk, holds ids with `WORD_BEGINS`; `ends` (n,)
    int64 where each sequence ends in it. No sequence is longer than `longest` with start and end.
    """

    flat: npt.NDArray[np.uint16]
    ends: npt.NDArray[np.int64]
    longest: int
    vocabulary_size: int

    def __len__(self) -> int:
        """Count the sequences."""
        return len(self.ends)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Pieces a sequence, start and end included, (n,)."""
        return np.diff(self.ends, prepend=0) + 2

    def part(self, start: int, stop: int) -> Sequences:
        """Give the sequences from `start` to `stop` (excluded)."""
        first = int(self.ends[start - 1]) if start else 0
        last = int(self.ends[stop - 1]) if stop else 0
        return Sequences(
            self.flat[first:last], self.ends[start:stop] - first, self.longest,
            self.vocabulary_size,
        )  # fmt: skip

    def padded_lengths(self) -> npt.NDArray[np.int64]:
        """Give the length each sequence is filled up to, (n,): one of four."""
        steps = np.arange(1, _SHAPES + 1) * self.longest / _SHAPES
        shapes = np.minimum(np.maximum(_SHORTEST, np.ceil(steps / 8) * 8), self.longest)
        found: npt.NDArray[np.int64] = shapes.astype(np.int64)
        return found[np.searchsorted(shapes, self.lengths)]

    def turns(self, *, batch_size: int, generator: np.random.Generator) -> list[Turn]:
        """Shuffle all sequences into batches of like length.

        The last batch of a length is filled up with sequences of that length which come again, so
        those of a rare length are seen more often.
        """
        padded = self.padded_lengths()
        turns = []
        for length in np.unique(padded):
            rows = generator.permutation(np.flatnonzero(padded == length))
            batches = np.resize(rows, (-(-len(rows) // batch_size), batch_size))
            turns += [
                Turn(batches[first : first + _STEPS_A_TURN], int(length))
                for first in range(0, len(batches), _STEPS_A_TURN)
            ]
        return [turns[number] for number in generator.permutation(len(turns))]

    def masked(
        self, rows: npt.NDArray[np.int64], length: int, generator: np.random.Generator
    ) -> MaskedBatch:
        """Hide words of some sequences, see `mask_words`."""
        marked = np.zeros((len(rows), length), np.uint16)
        lengths = np.zeros(len(rows), np.int32)
        for place, row in enumerate(rows):
            first = int(self.ends[row - 1]) if row else 0
            pieces = self.flat[first : int(self.ends[row])]
            lengths[place] = len(pieces) + 2
            marked[place, 1 : len(pieces) + 1] = pieces
            marked[place, 0], marked[place, len(pieces) + 1] = START, END
        ids = (marked & ~WORD_BEGINS).astype(np.int32)
        return mask_words(
            ids,
            (marked & WORD_BEGINS) > 0,
            lengths,
            vocabulary_size=max(self.vocabulary_size, N_SPECIAL + 1),
            generator=generator,
        )
