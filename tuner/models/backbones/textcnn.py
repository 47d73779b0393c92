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
    """Convolution over time with "same" padding and ReLU, and its maximum over the text.

    The convolution is one matrix product, since XLA's own is about 40 times slower on CPU. The
    maximum hands its gradient to one place a text and filter: going back through those places
    alone, in place of all, is exact and saves most of the work of a step.
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

    def call(self, values: Any, mask: Any) -> Any:
        """Map (batch, length, width) and a mask (batch, length) to (batch, filters).

        ReLU is at least 0, so places beyond the text, set to 0, never win the maximum.
        """
        before = (self.size - 1) // 2
        padded = tf.pad(values, [[0, 0], [before, self.size - 1 - before], [0, 0]])
        kernel, bias = (tf.convert_to_tensor(each.value) for each in (self.kernel, self.bias))
        return _maximum_of_convolution(padded, kernel, bias, mask)


@tf.custom_gradient
def _maximum_of_convolution(padded: Any, kernel: Any, bias: Any, mask: Any) -> Any:
    """Convolve (batch, length + size - 1, width), and take the maximum over the mask."""
    size, width, filters = kernel.shape
    n_texts, length = padded.shape[0], mask.shape[1]
    windows = tf.concat([padded[:, i : i + length] for i in range(size)], axis=-1)
    product = tf.matmul(
        tf.reshape(windows, [-1, size * width]), tf.reshape(kernel, [size * width, filters])
    )
    activation = tf.nn.relu(tf.reshape(product, [-1, length, filters]) + bias) * mask[..., None]
    maximum = tf.reduce_max(activation, axis=1)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, None]:
        passed = tf.where(maximum > 0.0, upstream, 0.0)
        first = tf.argmax(activation, axis=1, output_type=tf.int32)
        first += tf.range(n_texts)[:, None] * padded.shape[1]
        places = first[..., None] + tf.range(size)  # (batch, filters, size) rows of `rows`
        rows = tf.reshape(padded, [-1, width])
        of_kernel = tf.reduce_sum(tf.gather(rows, places) * passed[..., None, None], axis=0)
        share = passed[..., None, None] * tf.transpose(kernel, [2, 0, 1])
        of_rows = tf.math.unsorted_segment_sum(
            tf.reshape(share, [-1, width]), tf.reshape(places, [-1]), rows.shape[0]
        )
        return (
            tf.reshape(of_rows, padded.shape),
            tf.transpose(of_kernel, [1, 2, 0]),
            tf.reduce_sum(passed, axis=0),
            None,
        )

    return maximum, gradient


class TextCNN(keras.layers.Layer):
    """Parallel convolutions of several widths, ReLU, maximum over time.

    Notes
    -----
    Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 2. "same"
    padding, so that a text shorter than the widest kernel has features too.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("embedding", "convolution")
    USES_ORDER: ClassVar[bool] = True
    TOKEN_DROPOUT: ClassVar[float] = 0.3
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
        pooled = [convolution(embedded, mask) for convolution in self.convolutions]
        features = tf.concat(pooled, axis=-1)
        return features if dropout is None else dropout.hide_units(features, salt=1)


Backbone = TextCNN
