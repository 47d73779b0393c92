"""The table of token embeddings, which a training step reads through the rows of its batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

__all__ = ["EmbeddingRows", "TokenEmbedding", "TokenScores"]


class EmbeddingRows(Protocol):
    """Rows of the table that start from given vectors."""

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Token ids, (n,)."""

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """Their vectors, (n, width)."""


class TokenEmbedding(keras.layers.Layer):
    """Embedding lookup whose table can stand aside for the few rows that a batch touches.

    A step of training gathers the batch's rows once, numbers its tokens by them, and updates no
    others; see `tuner.training.batches`. Everything else looks up the whole table. Number 0 is
    `[PAD]` in both.
    """

    # How the table learns, see `tuner.training.adam`.
    learns_by: ClassVar[Literal["adam", "descent"]] = "adam"

    def __init__(self, vocabulary_size: int, width: int) -> None:
        super().__init__(name="embedding")
        self.vocabulary_size = vocabulary_size
        self.width = width
        self.embeddings_initializer = keras.initializers.RandomUniform()
        self._rows: Any = None

    def build(self, _: Any) -> None:
        """Create the table (vocabulary_size, width)."""
        self.embeddings = self.add_weight(
            shape=(self.vocabulary_size, self.width),
            initializer=self.embeddings_initializer,
            name="embeddings",
        )

    def start_from(self, given: EmbeddingRows) -> None:
        """Set the given rows; the others keep their random values, at the scale of the given.

        Notes
        -----
        Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 4.2: words
        without a vector are drawn from U[-a, a] with the variance of those that have one.
        """
        if not len(given.ids):
            return
        table = self.embeddings.value.numpy()
        drawn_up_to = self.embeddings_initializer.get_config()["maxval"]
        table *= np.sqrt(3.0) * given.values.std() / drawn_up_to
        table[given.ids] = given.values
        self.embeddings.assign(table)

    @contextmanager
    def reading(self, rows: Any) -> Iterator[None]:
        """Look up `rows` (n, width) in place of the table, while a program is being traced."""
        self._rows = rows
        try:
            yield
        finally:
            self._rows = None

    def call(self, token_ids: Any) -> Any:
        """Map ids (batch, length) of any integer type to (batch, length, width) float32."""
        table = self.embeddings.value if self._rows is None else self._rows
        return tf.gather(table, tf.cast(token_ids, tf.int32))


class TokenScores(TokenEmbedding):
    """A table of scores per class, with the weight of each token in its last column.

    Notes
    -----
    Adam would give a token that occurs once a step as long as that of one that occurs a thousand
    times; a plain gradient is as long as what the token tells.
    """

    learns_by: ClassVar[Literal["adam", "descent"]] = "descent"

    def __init__(self, vocabulary_size: int, n_classes: int) -> None:
        super().__init__(vocabulary_size, n_classes + 1)

    def weigh(self, weights: npt.NDArray[np.float32]) -> None:
        """Set the weight of every token, (vocabulary_size,)."""
        self.embeddings.value[:, -1].assign(weights)

    def call(self, token_ids: Any) -> tuple[Any, Any]:
        """Map ids (batch, length) to scores (batch, length, n_classes) and weights."""
        rows = super().call(token_ids)
        return rows[..., :-1], tf.stop_gradient(rows[..., -1])
