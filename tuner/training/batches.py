"""From an order of rows to what the compiled program takes: arrays of one fixed shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from tuner.training.buckets import PIECE

__all__ = [
    "Batches",
    "ChangeTexts",
    "TrainBucket",
    "ahead",
    "make_batches",
    "touched_rows_max",
]

_SAMPLE = 64
_DEVIATIONS = 7
_MULTIPLE = 64

T = TypeVar("T")
ChangeTexts: TypeAlias = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TrainBucket:
    """Train texts padded to one length: ids (n, length), labels (n,) int32."""

    token_ids: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Batches:
    """Up to `PIECE` batches of one bucket, filled up to that many.

    Rows that fill up a batch repeat its first one with weight 0.

    `token_ids` is (PIECE, batch, length), `labels` (PIECE, batch) int32, `row_weights`
    (PIECE, batch) float32. With `rows` (PIECE, capacity) int32 the ids number a batch's own rows
    of the embedding: `rows[step, id]` is the token's number in the vocabulary.
    """

    token_ids: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]
    row_weights: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int32] | None


def make_batches(
    bucket: TrainBucket,
    order: npt.NDArray[np.int32],
    row_weights: npt.NDArray[np.float32],
    *,
    vocabulary_size: int,
    rows_max: int | None,
    change: ChangeTexts | None = None,
) -> Batches:
    """Gather the texts of some batches.

    Parameters
    ----------
    bucket
        Where `order` points into.
    order, row_weights
        (n_steps, batch), at most `PIECE` steps; the weight is 0 for rows that fill up a batch.
    vocabulary_size
        Rows of the embedding.
    rows_max
        How many rows a batch may touch, see `touched_rows_max`; None leaves the ids as they are.
        A piece with a batch that touches more, as changed texts may, gets a larger shape: one of
        a few, since each has a program of its own.
    change
        Changes the texts gathered, (n, length), before they are numbered; not asked for rows
        that fill up, so that how many there are does not matter.
    """
    n_steps, batch_size = order.shape
    token_ids = np.zeros((PIECE, batch_size, bucket.token_ids.shape[1]), bucket.token_ids.dtype)
    labels = np.zeros((PIECE, batch_size), np.int32)
    weights = np.zeros((PIECE, batch_size), np.float32)
    is_row = row_weights > 0.0
    gathered = bucket.token_ids[order]
    if change is not None:
        gathered[is_row] = change(gathered[is_row])
    # A row that fills up is the first one again: it touches nothing that the others do not.
    token_ids[:n_steps] = np.where(is_row[..., None], gathered, gathered[:, :1])
    labels[:n_steps] = np.where(is_row, bucket.labels[order], bucket.labels[order[:, :1]])
    weights[:n_steps] = row_weights
    if rows_max is None:
        return Batches(token_ids, labels, weights, None)
    touched = []
    place_of = np.zeros(vocabulary_size, np.int32)
    for step in range(n_steps):
        rows, token_ids[step] = _touched(token_ids[step], place_of)
        touched.append(rows)
    most = max(len(rows) for rows in touched)
    all_rows = np.zeros((PIECE, _room(most, rows_max, vocabulary_size)), np.int32)
    for step, rows in enumerate(touched):
        all_rows[step, : len(rows)] = rows
    return Batches(token_ids, labels, weights, all_rows)


def _touched(
    token_ids: npt.NDArray[Any], place_of: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Give the different ids of a batch, `[PAD]` first, and the batch numbered by them.

    `place_of` (vocabulary_size,) is room to work in; no sorting is needed.
    """
    flat = np.concatenate([np.zeros(1, token_ids.dtype), token_ids.ravel()])
    places = np.arange(len(flat), dtype=np.int32)
    place_of[flat[::-1]] = places[::-1]  # the first place of each id is written last
    rows = flat[place_of[flat] == places]
    place_of[rows] = places[: len(rows)]
    return rows, place_of[token_ids]


def touched_rows_max(bucket: TrainBucket, batch_size: int, *, vocabulary_size: int) -> int:
    """Say how many rows of the embedding a random batch touches at most, with room to spare.

    Of a sample with a fixed seed, so that a study has one shape in all its processes; a batch
    that touches more is carried all the same, see `make_batches`.
    """
    n = len(bucket.labels)
    if n == 0:
        return _MULTIPLE
    generator = np.random.default_rng(0)
    counts = [
        len(np.unique(bucket.token_ids[generator.permutation(n)[:batch_size]]))
        for _ in range(_SAMPLE)
    ]
    # Of the million batches of a study, none: the count of one is nearly normal.
    most = int(np.mean(counts) + _DEVIATIONS * np.std(counts))
    return min(_rounded(max(most, *counts)), _rounded(vocabulary_size))


def _room(most: int, rows_max: int, vocabulary_size: int) -> int:
    """Give the shape that holds so many rows: the one foreseen, half as much more, and so on."""
    room = rows_max
    while room < most:
        room = min(_rounded(room + room // 2), _rounded(vocabulary_size))
    return room


def _rounded(count: int) -> int:
    return -(-count // _MULTIPLE) * _MULTIPLE


def ahead(calls: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Give the results of calls in turn, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for call in calls:
            following = thread.submit(call)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
