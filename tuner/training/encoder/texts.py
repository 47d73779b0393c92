"""Texts in the pieces of a checkpoint, and the batches that go through the encoder together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tuner.models.pretrained import Checkpoint, Pieces

__all__ = ["EncoderTexts", "RowBatch", "batches_of_like_length"]

_POOL = 16  # batches
MULTIPLE = 8  # lengths are filled up to it, so that few shapes occur
# Always filled up to it, so that a text's numbers do not depend on who else is there; fewer rows
# where texts are long, so that a call stays short enough for a signal.
PREDICTION_ROWS, PREDICTION_PIECES = 16, 2_048


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Texts that go through the encoder together, padded to `length` pieces.

    `rows` (batch,) are filled up by repeating the first; `n` of them count.
    """

    rows: npt.NDArray[np.intp]
    n: int
    length: int


@dataclass(frozen=True)
class EncoderTexts:
    """Distinct texts cut into the checkpoint's pieces.

    A study, its folds and all its trials share them, so activations that were computed once
    serve them all.
    """

    checkpoint: Checkpoint
    pieces: Pieces

    @cached_property
    def key(self) -> str:
        """Digest of checkpoint and pieces: all that frozen activations depend on."""
        content = hashlib.sha256(self.checkpoint.digest.encode())
        content.update(np.ascontiguousarray(self.pieces.lengths).data)
        content.update(np.ascontiguousarray(self.pieces.flat).data)
        return content.hexdigest()

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each text begins among all pieces, (n,)."""
        lengths = self.pieces.lengths.astype(np.int64)
        return np.cumsum(lengths) - lengths

    @cached_property
    def vocabulary(self) -> npt.NDArray[np.int32]:
        """The checkpoint's ids that occur, rising, (n_used,)."""
        return np.unique(self.pieces.flat)

    @cached_property
    def compact(self) -> npt.NDArray[np.int32]:
        """All pieces as positions in `vocabulary`, (n_pieces,)."""
        return np.searchsorted(self.vocabulary, self.pieces.flat).astype(np.int32)

    def lengths(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        """Give pieces per text, (len(rows),)."""
        return self.pieces.lengths[rows]

    def padded_lengths(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
        """Give the length that each text is filled up to in a prediction, (len(rows),)."""
        rounded = -(-self.lengths(rows) // MULTIPLE) * MULTIPLE
        return np.minimum(rounded, self.checkpoint.architecture.n_positions).astype(np.int32)

    def padded(
        self, flat: npt.NDArray[np.generic], rows: npt.NDArray[np.intp], length: int
    ) -> npt.NDArray[np.generic]:
        """Give what lies piece by piece in `flat` (n_pieces, …) as (len(rows), length, …)."""
        out = np.zeros((len(rows), length, *flat.shape[1:]), flat.dtype)
        for target, row in enumerate(rows):
            n = min(int(self.pieces.lengths[row]), length)
            out[target, :n] = flat[self.starts[row] : self.starts[row] + n]
        return out

    def prediction_batches(self, rows: npt.NDArray[np.intp]) -> list[RowBatch]:
        """Put rows of equal rounded length together, in the order of length.

        The shape of a text's batch follows from the text alone, and so do its numbers.
        """
        rounded = self.padded_lengths(rows)
        batches = []
        for length in np.unique(rounded):
            alike = rows[rounded == length]
            size = max(1, min(PREDICTION_ROWS, PREDICTION_PIECES // int(length)))
            for start in range(0, len(alike), size):
                found = alike[start : start + size]
                filling = np.full(size - len(found), found[0])
                batches.append(RowBatch(np.concatenate([found, filling]), len(found), int(length)))
        return batches


def batches_of_like_length(
    lengths: npt.NDArray[np.int32], *, batch_size: int, generator: np.random.Generator
) -> list[npt.NDArray[np.intp]]:
    """Shuffle positions into batches whose texts have like lengths, so that padding costs little.

    Parameters
    ----------
    lengths
        Pieces per text, (n,).
    batch_size
        Rows a batch at most; batches differ by one row at most.
    generator
        Source of the order.

    Notes
    -----
    Rows are shuffled, sorted by length within pools of 16 batches, cut, and the batches shuffled
    again, so the same rows do not meet in every epoch.
    """
    order = generator.permutation(len(lengths))
    n_batches = -(-len(order) // batch_size)
    n_pools = -(-n_batches // _POOL)
    batches = []
    for pool in np.array_split(order, n_pools):
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches += np.array_split(by_length, -(-len(pool) // batch_size))
    return [batches[turn] for turn in generator.permutation(len(batches))]
