"""Convolutions over time with max pooling (Kim 2014)."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import tensorflow as tf

from tuner.config import ModelSettings
from tuner.models.dropout import Dropout
from tuner.models.embedding import TokenEmbedding
from tuner.models.shape import ModelShape

__all__ = ["Backbone", "Convolution", "TextCNN"]


class Convolution(keras.layers.Layer):
    """Convolution over time with "same" padding and ReLU, as one matrix product.

    XLA's own convolution is about 40 times slower on CPU, its gradient above all.
    """

    def __init__(self, size: int, filters: int) -> None:
        super().__init__(name=f"convolution_{size}")
        self.size = size
        self.filters = filters
        self.kernel_initializer = keras.initializers.GlorotUniform()
        self.bias_initializer = keras.initializers.Zeros()

    def build(self, input_shape: Any) -> None:
        """Create kernel (size, width, filters) and bias (filters,)."""
        self.kernel = self.add_weight(
            shape=(self.size, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.filters,), initializer=self.bias_initializer, name="bias"
        )

    def call(self, values: Any) -> Any:
        """Map (batch, length, width) to (batch, length, filters)."""
        length, width = values.shape[1], values.shape[2]
        before = (self.size - 1) // 2
        padded = tf.pad(values, [[0, 0], [before, self.size - 1 - before], [0, 0]])
        windows = tf.concat([padded[:, i : i + length] for i in range(self.size)], axis=-1)
        product = tf.matmul(
            tf.reshape(windows, [-1, self.size * width]),
            tf.reshape(self.kernel.value, [self.size * width, self.filters]),
        )
        return tf.nn.relu(tf.reshape(product, [-1, length, self.filters]) + self.bias)


class TextCNN(keras.layers.Layer):
    """Parallel convolutions of several widths, ReLU, maximum over time.

    Notes
    -----
    Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 2. "same"
    padding, so that a text shorter than the widest kernel has features too.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("embedding", "convolution")
    USES_ORDER: ClassVar[bool] = True
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.pooling_power"})

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(name="textcnn")
        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        self.convolutions = [Convolution(size, shape.width) for size in shape.kernel_sizes]

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the filters per kernel size, Kim's 100."""
        return 100

    def configure(self, settings: ModelSettings) -> None:
        """Do nothing: no number of this network may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], list(self.convolutions))

    def call(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, width * kernel sizes) float32."""
        mask = tf.cast(token_ids != 0, tf.float32)
        visible = mask if dropout is None else dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids) * visible[..., None]
        # ReLU is at least 0, so places beyond the text, set to 0, never win the maximum: a text's
        # features do not depend on the padding of its batch.
        pooled = [
            tf.reduce_max(convolution(embedded) * mask[..., None], axis=1)
            for convolution in self.convolutions
        ]
        features = tf.concat(pooled, axis=-1)
        return features if dropout is None else dropout.hide_units(features, salt=1)


Backbone = TextCNN
