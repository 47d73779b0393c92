"""A convolution over time and its maximum, as one product."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

__all__ = ["Convolution"]


class Convolution(keras.layers.Layer):
    """Convolution over time with "same" padding and ReLU, and its maximum over the text.

    The convolution is one matrix product, since XLA's own is about 40 times slower on CPU. The
    maximum hands its gradient to one place a text and filter: going back through those places
    alone, in place of all, is exact and saves most of the work of a step.

    Parameters
    ----------
    size
        Tokens that a window holds.
    filters
        Features of a window.
    number
        Which one of its size it is, from 1; weights are known by the name of their layer.
    """

    def __init__(self, size: int, filters: int, number: int = 1) -> None:
        super().__init__(name=f"convolution_{size}" + (f"_{number}" if number > 1 else ""))
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
