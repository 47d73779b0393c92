"""What all trials on one set of features share, padded and in memory once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.records import EncodedTexts
from tuner.sizes import few_sizes_up
from tuner.training.batches import TrainBucket, touched_rows_max
from tuner.training.buckets import bucket_lengths, make_buckets

__all__ = [
    "EvaluationPart",
    "FitData",
    "LabelledTexts",
    "Layout",
    "PredictionCall",
    "prediction_calls",
    "prepare_fit",
]

_UNKNOWN = 1

# A batch of texts to predict holds about as many tokens at every length, so that filling up the
# last one of the long texts, which are few, costs no more than that of the short ones.
PREDICTION_ROWS_MAX = 256
PREDICTION_TOKENS = 128 * PREDICTION_ROWS_MAX
# A call of a program takes as long as a small network takes for a batch. Of more batches a call
# the cores would get unequal shares of a small part.
BATCHES_PER_CALL = 4

ROWS_MIN = 4_096  # of an embedding where sizes are to be few: a megabyte or so

SUBWORD_SHARE = 0.5  # docs/backbones.md has the figures


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Encoded texts with class numbers (n,) int32."""

    texts: EncodedTexts
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PredictionCall:
    """Batches of texts to predict in one call.

    `rows` (n,) are their positions in the part, `token_ids` is a tensor (k, m, length) int32 that
    holds the texts in the first `n_batches` of its k batches, one after another; what follows
    them is empty.
    """

    rows: npt.NDArray[np.intp]
    token_ids: Any

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give the shape, which is that of a compiled program."""
        k, m, length = self.token_ids.shape
        return k, m, length

    @property
    def n_batches(self) -> int:
        """Count the batches that hold texts."""
        return -(-len(self.rows) // self.shape[1])


@dataclass(frozen=True, slots=True)
class EvaluationPart:
    """Texts to predict, see `prediction_calls`, and their class numbers (n,) int32."""

    calls: tuple[PredictionCall, ...]
    labels: npt.NDArray[np.int32]


class Layout:
    """The shapes that decide which compiled programs a study needs.

    A fold of a study has the layout of the study, so that the same programs serve it.

    Parameters
    ----------
    edges
        Padded lengths of the buckets.
    vocabulary_size
        Rows of the embedding.
    train
        Buckets of the study's train part.
    few_sizes
        See `prepare_fit`.
    """

    def __init__(
        self,
        edges: tuple[int, ...],
        vocabulary_size: int,
        train: Sequence[TrainBucket],
        *,
        few_sizes: bool = False,
    ) -> None:
        self._few_sizes = few_sizes
        self.edges = edges
        self.vocabulary_size = vocabulary_size
        self._train = tuple(train)
        self._rows_max: dict[tuple[int, int], int] = {}

    def rows_max(self, bucket: int, batch_size: int) -> int:
        """Say how many rows of the embedding a batch of a bucket touches at most."""
        key = (bucket, batch_size)
        if key not in self._rows_max:
            most = touched_rows_max(
                self._train[bucket], batch_size, vocabulary_size=self.vocabulary_size
            )
            self._rows_max[key] = few_sizes_up(most) if self._few_sizes else most
        return self._rows_max[key]


@dataclass(frozen=True)
class FitData:
    """The prepared parts; the sealed test is not among them."""

    layout: Layout
    train: tuple[TrainBucket, ...]
    train_labels: npt.NDArray[np.int32]
    validation: EvaluationPart
    selection: EvaluationPart
    classes: tuple[str, ...]
    is_subword: npt.NDArray[np.bool_] | None = None
    n_spare_rows: int = 0
    """Rows of the embedding that no token has."""

    @cached_property
    def token_weights(self) -> npt.NDArray[np.float32]:
        """Inverse document frequency of every token in train, (vocabulary_size,).

        log((1 + n) / (1 + n_t)) + 1, as scikit-learn has it; 0 for `[PAD]`, `[UNK]` and tokens
        that no text has. Those of the pieces of words are scaled, since there are several to
        each: the squares of all add up to a share of those of all words and n-grams.
        """
        n_texts = np.zeros(self.layout.vocabulary_size, np.int64)
        for bucket in self.train:
            ordered = np.sort(bucket.token_ids, axis=1)
            is_first = np.diff(ordered, axis=1, prepend=ordered[:, :1] * 0) > 0
            n_texts += np.bincount(ordered[is_first], minlength=len(n_texts))
        weights = np.log((1 + len(self.train_labels)) / (1 + n_texts)) + 1
        weights[: _UNKNOWN + 1] = 0.0
        weights = np.where(n_texts > 0, weights, 0.0)
        if self.is_subword is not None:
            self._scale_pieces(weights, self.is_subword)
        return weights.astype(np.float32)

    def _scale_pieces(
        self, weights: npt.NDArray[np.float64], is_subword: npt.NDArray[np.bool_]
    ) -> None:
        """Scale the weights of the pieces in place, see `token_weights`."""
        squares = sum(
            np.bincount(bucket.token_ids.ravel(), minlength=len(weights)) for bucket in self.train
        ) * np.square(weights)
        # The vocabulary of a fold may have fewer entries than its layout has rows.
        pieces = np.flatnonzero(is_subword)
        of_pieces = squares[pieces].sum()
        if of_pieces > 0:
            words = squares.sum() - of_pieces
            weights[pieces] *= np.sqrt(SUBWORD_SHARE * words / of_pieces)


def prepare_fit(
    train: LabelledTexts,
    validation: LabelledTexts,
    selection: LabelledTexts,
    *,
    vocabulary_size: int,
    max_tokens: int,
    classes: Sequence[str],
    layout: Layout | None = None,
    few_sizes: bool = False,
    is_subword: npt.NDArray[np.bool_] | None = None,
) -> FitData:
    """Pad the parts into buckets.

    Parameters
    ----------
    is_subword
        Which entries of the vocabulary are pieces of words, (vocabulary_size,); None for none.
    layout
        Of the study, when these parts are a fold of it. A vocabulary that is larger than the
        study's gets a layout of its own.
    few_sizes
        Whether to round the rows of the embedding and the padded lengths up to few sizes, which
        trials of a search over such sizes then share: see `few_sizes_up`.
    """
    n_tokens = vocabulary_size
    if few_sizes and layout is None:
        vocabulary_size = few_sizes_up(max(vocabulary_size, ROWS_MIN))
    is_given = layout is not None and layout.vocabulary_size >= vocabulary_size
    edges = (
        layout.edges
        if layout is not None and is_given
        else bucket_lengths(train.texts.lengths, max_tokens, few_sizes=few_sizes)
    )
    buckets = tuple(
        TrainBucket(_smallest(bucket.token_ids, vocabulary_size), train.labels[bucket.rows])
        for bucket in make_buckets(train.texts, edges)
    )

    def to_predict(part: LabelledTexts) -> EvaluationPart:
        return EvaluationPart(prediction_calls(part.texts, edges), part.labels)

    if layout is None or not is_given:
        layout = Layout(edges, vocabulary_size, buckets, few_sizes=few_sizes)
    return FitData(
        layout=layout,
        train=buckets,
        train_labels=train.labels,
        validation=to_predict(validation),
        selection=to_predict(selection),
        classes=tuple(classes),
        is_subword=is_subword,
        n_spare_rows=layout.vocabulary_size - n_tokens,
    )  # fmt: skip


def prediction_calls(texts: EncodedTexts, edges: Sequence[int]) -> tuple[PredictionCall, ...]:
    """Cut texts into batches that are always full, so that a text's company changes nothing.

    How many rows a batch is filled up to follows from its length alone.
    """
    calls = []
    for bucket in make_buckets(texts, edges):
        length = bucket.token_ids.shape[1]
        m = min(PREDICTION_ROWS_MAX, max(1, PREDICTION_TOKENS // length))
        n = BATCHES_PER_CALL * m
        for start in range(0, len(bucket.rows), n):
            token_ids = bucket.token_ids[start : start + n]
            filled = np.zeros((n, length), np.int32)
            filled[: len(token_ids)] = token_ids
            tensor = tf.constant(filled.reshape(BATCHES_PER_CALL, m, length))
            calls.append(PredictionCall(bucket.rows[start : start + n], tensor))
    return tuple(calls)


def _smallest(token_ids: npt.NDArray[np.int32], vocabulary_size: int) -> npt.NDArray[np.integer]:
    """Give ids in the smallest type that the program takes."""
    return token_ids.astype(np.uint16 if vocabulary_size <= 2**16 else np.int32)
