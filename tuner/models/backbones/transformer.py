"""A small transformer encoder, trained from scratch."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.config import ModelSettings
from tuner.models.dropout import Dropout
from tuner.models.embedding import TokenEmbedding
from tuner.models.shape import ModelShape

__all__ = ["Backbone", "Transformer"]

N_BLOCKS = 2
HEADS_MAX = 4


class Transformer(keras.layers.Layer):
    """Embedding with sinusoidal places, two blocks of attention, the mean over the text.

    Notes
    -----
    Vaswani et al. 2017, arXiv:1706.03762, with the norms before each sublayer (Xiong et al. 2020,
    arXiv:2002.04745, section 3), which trains without a warm-up. Attention, and the mean that
    pools, see the tokens of the text alone.
    """

    GROUPS: ClassVar[tuple[str, ...]] = (
        "embedding",
        *(f"block_{number}" for number in range(1, N_BLOCKS + 1)),
    )
    USES_ORDER: ClassVar[bool] = True
    TOKEN_DROPOUT: ClassVar[float] = 0.5
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.kernel_sizes", "model.pooling_power"})

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(name="transformer")
        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        self.blocks = [
            Block(number, shape.embedding_width, shape.width) for number in range(1, N_BLOCKS + 1)
        ]

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the units of the feed-forward layers: 256, four times the default embedding."""
        return 256

    def configure(self, settings: ModelSettings) -> None:
        """Do nothing: no number of this network may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], *(block.layers() for block in self.blocks))

    def call(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, embedding width) float32."""
        mask = tf.cast(token_ids != 0, tf.float32)
        if dropout is not None:
            mask = dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids)
        length, width = token_ids.shape[1], embedded.shape[2]
        # The root of the width, as in section 3.4, or the places would drown the tokens.
        values = embedded * float(np.sqrt(width)) + sinusoids(length, width)
        if dropout is not None:
            values = dropout.hide_units(values, salt=1)
        for number, block in enumerate(self.blocks):
            values = block(values, mask, dropout, salt=10 * (number + 1))
        n_tokens = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
        features = tf.reduce_sum(values * mask[..., None], axis=1) / n_tokens
        return features if dropout is None else dropout.hide_units(features, salt=2)


class Block:
    """Self-attention and a feed-forward layer, each added to what came in."""

    def __init__(self, number: int, width: int, feed_forward: int) -> None:
        self.n_heads = head_count(width)
        named = f"block_{number}"
        self.norm_1 = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{named}_norm_1")
        self.norm_2 = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{named}_norm_2")
        self.attend = keras.layers.Dense(3 * width, name=f"{named}_attention_in")
        self.combine = keras.layers.Dense(width, name=f"{named}_attention_out")
        self.widen = keras.layers.Dense(feed_forward, activation="relu", name=f"{named}_widen")
        self.narrow = keras.layers.Dense(width, name=f"{named}_narrow")

    def layers(self) -> list[Any]:
        """Give the layers with weights."""
        return [
            self.norm_1, self.attend, self.combine, self.norm_2, self.widen, self.narrow,
        ]  # fmt: skip

    def __call__(self, values: Any, mask: Any, dropout: Dropout | None, *, salt: int) -> Any:
        """Map (batch, length, width) to the same; `mask` (batch, length) hides keys."""
        attended = self._attention(self.norm_1(values), mask)
        if dropout is not None:
            attended = dropout.hide_units(attended, salt=salt)
        values += attended
        fed = self.narrow(self.widen(self.norm_2(values)))
        if dropout is not None:
            fed = dropout.hide_units(fed, salt=salt + 1)
        return values + fed

    def _attention(self, values: Any, mask: Any) -> Any:
        """Attend to the visible tokens (Vaswani et al. 2017, section 3.2)."""
        batch, length, width = tf.shape(values)[0], values.shape[1], values.shape[2]
        split = tf.reshape(
            self.attend(values), [batch, length, 3, self.n_heads, width // self.n_heads]
        )
        query, key, value = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        scores = tf.matmul(query, key, transpose_b=True) / float(np.sqrt(width // self.n_heads))
        weights = tf.nn.softmax(tf.where(mask[:, None, None] > 0, scores, -1e9))
        together = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return self.combine(tf.reshape(together, [batch, length, width]))


def head_count(width: int) -> int:
    """Give how many heads share a width: the most up to four that divide it."""
    return next(n for n in range(min(HEADS_MAX, width), 0, -1) if width % n == 0)


def sinusoids(length: int, width: int) -> npt.NDArray[np.float32]:
    """Give the places' signals, (length, width) float32 (Vaswani et al. 2017, section 3.5)."""
    places = np.arange(length)[:, None]
    rates = 10_000.0 ** (-2.0 * (np.arange(width) // 2) / width)
    angles = places * rates
    return np.where(np.arange(width) % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32)


Backbone = Transformer
