"""Batches of texts of like length, so that padding costs little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.records import EncodedTexts
from tuner.sizes import few_sizes_up

__all__ = [
    "Bucket",
    "EpochPlan",
    "Piece",
    "bucket_lengths",
    "make_buckets",
    "plan_epoch",
]

MULTIPLE = 8
PIECE = 16  # steps taken from one bucket before another has its turn


@dataclass(frozen=True, slots=True)
class Bucket:
    """Texts padded to one length.

    `rows` (n,) are their positions in the part, `token_ids` is (n, length) int32.
    """

    rows: npt.NDArray[np.intp]
    token_ids: npt.NDArray[np.int32]


def bucket_lengths(
    lengths: npt.NDArray[np.int32], max_tokens: int, *, few_sizes: bool = False
) -> tuple[int, ...]:
    """Choose up to three padded lengths for the train texts.

    Parameters
    ----------
    lengths
        Tokens per text of train, (n,).
    max_tokens
        Length of the last bucket; longer texts are cut.
    few_sizes
        Whether to choose among the lengths that `few_sizes_up` gives alone.

    Returns
    -------
    tuple of int
        Rising; one compiled program each, so a bucket must save a good part of the work.
    """
    round_up = _few_lengths_up if few_sizes else _round_up
    longest = round_up(min(max_tokens, int(lengths.max(initial=1))))
    cut = np.minimum(np.vectorize(round_up, otypes=[int])(lengths), longest)
    if len(cut) * longest < 100_000:
        return (longest,)
    candidates = sorted({round_up(int(np.percentile(cut, share))) for share in range(10, 100, 5)})
    best: tuple[int, ...] = (longest,)
    best_cost = float(len(cut) * longest)
    for count in (1, 2):
        for edges in _choices([c for c in candidates if c < longest], count):
            chosen = (*edges, longest)
            cost = float(np.take(chosen, np.searchsorted(chosen, cut)).sum())
            # A further bucket must earn the compilation of its program.
            if cost < best_cost * (1.0 if len(chosen) == len(best) else 0.85):
                best, best_cost = chosen, cost
    return best


def _choices(values: Sequence[int], count: int) -> list[tuple[int, ...]]:
    if count == 1:
        return [(value,) for value in values]
    return [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]


def _round_up(length: int) -> int:
    return max(MULTIPLE, -(-length // MULTIPLE) * MULTIPLE)


def _few_lengths_up(length: int) -> int:
    return few_sizes_up(_round_up(length))


def make_buckets(encoded: EncodedTexts, edges: Sequence[int]) -> list[Bucket]:
    """Sort texts into the buckets that hold them; the last one cuts what is longer.

    Parameters
    ----------
    encoded
        n texts.
    edges
        Rising padded lengths. A text's bucket depends on its length alone, so it is computed
        alike in every part and process.

    Returns
    -------
    list of Bucket
        One an edge, empty ones included, so that positions agree.
    """
    bucket_of = np.searchsorted(edges[:-1], encoded.lengths)
    buckets = []
    for number, edge in enumerate(edges):
        rows = np.flatnonzero(bucket_of == number)
        buckets.append(Bucket(rows, encoded.padded(rows, edge)))
    return buckets


@dataclass(frozen=True, slots=True)
class Piece:
    """Steps `start` to `stop` (excluded) of one bucket's order."""

    bucket: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """One epoch: who is in which batch, and which bucket has its turn when.

    `orders` holds per bucket positions within the bucket, (n_steps, room) int32, and
    `row_weights` 1.0 for rows and 0.0 for filling, same shape.
    """

    orders: tuple[npt.NDArray[np.int32], ...]
    row_weights: tuple[npt.NDArray[np.float32], ...]
    pieces: tuple[Piece, ...]


def plan_epoch(
    sizes: Sequence[int],
    *,
    batch_size: int,
    generator: np.random.Generator,
    steps_min: int = 1,
    room: int | None = None,
) -> EpochPlan:
    """Shuffle the rows of every bucket into batches and the buckets' turns.

    Parameters
    ----------
    sizes
        Rows per bucket.
    batch_size
        Rows a batch at most; the batches of a bucket differ by one row at most, so that no
        small last batch weighs as much as a full one.
    generator
        Source of the order; the same state gives the same plan.
    steps_min
        Batches that the epoch has at least: it goes over all rows as often as that takes, each
        time in another order.
    room
        Rows that a batch is filled up to, which is its shape; None for `batch_size`.

    >>> order = np.random.default_rng(0)
    >>> len(plan_epoch([420], batch_size=64, generator=order, steps_min=100).orders[0])  # 15 x 7
    105
    """
    room = batch_size if room is None else room
    steps = sum(-(-size // batch_size) for size in sizes)
    n_passes = max(1, -(-steps_min // max(1, steps)))
    orders, row_weights, pieces = [], [], []
    for number, size in enumerate(sizes):
        n_steps = -(-size // batch_size) * n_passes
        order = np.zeros((n_steps, room), np.int32)
        weights = np.zeros((n_steps, room), np.float32)
        batches = (
            rows
            for _ in range(n_passes if size else 0)
            for rows in np.array_split(generator.permutation(size), n_steps // n_passes)
        )
        for step, rows in enumerate(batches):
            order[step, : len(rows)] = rows
            weights[step, : len(rows)] = 1.0
        orders.append(order)
        row_weights.append(weights)
        pieces += [
            Piece(number, start, min(start + PIECE, n_steps)) for start in range(0, n_steps, PIECE)
        ]
    turns = generator.permutation(len(pieces))
    return EpochPlan(tuple(orders), tuple(row_weights), tuple(pieces[turn] for turn in turns))
