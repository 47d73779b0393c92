"""Which pieces of a batch are hidden and have to be guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MaskedBatch", "mask_words"]

SHARE = 0.15  # of the words of a text; Devlin et al. 2019, section 3.1
AS_MASK, AS_RANDOM = 0.8, 0.1  # of the chosen pieces; the rest stays as it is
_ROOM = 0.2  # guesses a batch has room for, as a share of its places
MASK, N_SPECIAL = 4, 5  # ids of [MASK], and of all special pieces, which come first


@dataclass(frozen=True, slots=True)
class MaskedBatch:
    """What the network sees and what it has to guess.

    `ids` (batch, length) int32; `lengths` (batch,) int32; and of up to n guesses `places` among
    all ids of the batch, `targets`, and `counts` (1.0, or 0.0 for filling), (n,).
    """

    ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    counts: npt.NDArray[np.float32]


def mask_words(
    ids: npt.NDArray[np.int32],
    begins: npt.NDArray[np.bool_],
    lengths: npt.NDArray[np.int32],
    *,
    vocabulary_size: int,
    generator: np.random.Generator,
) -> MaskedBatch:
    """Hide whole words of each text.

    Parameters
    ----------
    ids
        Pieces with start, end and padding, (batch, length).
    begins
        Whether a word begins at a piece; nowhere at start, end and padding. (batch, length)
    lengths
        Pieces a text, start and end included, (batch,).
    vocabulary_size
        Pieces there are.
    generator
        Source of the choice; the same state gives the same batch.

    Notes
    -----
    Of each text 15 % of the words, one at least, and all pieces of them (Cui et al. 2021,
    arXiv:1906.08101, section 3). Each chosen piece becomes [MASK] in 80 % of the cases, any
    other piece in 10 %, and stays in 10 % (Devlin et al. 2019, section 3.1). The choice is drawn
    anew every time a text comes (Liu et al. 2019, section 4.1). What finds no room (a fifth of
    all places) stays as it is and is not guessed, so the shapes are fixed.
    """
    shape = ids.shape
    columns = np.arange(shape[1])
    n_words = begins.sum(axis=1)
    n_chosen = np.where(n_words > 0, np.maximum(1, np.rint(SHARE * n_words)), 0)
    drawn = np.where(begins, generator.random(shape), np.inf)
    rank = drawn.argsort(axis=1).argsort(axis=1)
    word_is_chosen = begins & (rank < n_chosen[:, None])
    word_of = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
    is_piece = (columns > 0) & (columns < lengths[:, None] - 1)
    chosen = np.take_along_axis(word_is_chosen, word_of, axis=1) & is_piece
    room = max(shape[0], int(_ROOM * ids.size))
    places = np.flatnonzero(chosen)[:room]
    targets = ids.reshape(-1)[places]
    fate = generator.random(len(places))
    others = generator.integers(N_SPECIAL, vocabulary_size, len(places))
    hidden = ids.reshape(-1).copy()
    hidden[places] = np.where(
        fate < AS_MASK, MASK, np.where(fate < AS_MASK + AS_RANDOM, others, targets)
    )
    filling = (0, room - len(places))
    return MaskedBatch(
        ids=hidden.reshape(shape),
        lengths=lengths,
        places=np.pad(places, filling).astype(np.int32),
        targets=np.pad(targets, filling),
        counts=np.pad(np.ones(len(places), np.float32), filling),
    )
