"""A bidirectional gated recurrent unit with max pooling over time."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import tensorflow as tf

from tuner.config import ModelSettings
from tuner.models.dropout import Dropout
from tuner.models.embedding import TokenEmbedding
from tuner.models.shape import ModelShape

__all__ = ["Backbone", "BiGRU", "BidirectionalGRU"]


class BidirectionalGRU(keras.layers.Layer):
    """Two GRUs, one reading each way, in one loop over time.

    Notes
    -----
    Cho et al. 2014, arXiv:1406.1078, section 2.3, with the reset gate applied after the recurrent
    product as in cuDNN, so that all recurrent products of a step are one. The input's products
    are taken for all steps at once, outside the loop.
    """

    def __init__(self, units: int) -> None:
        super().__init__(name="gru")
        self.units = units
        self.kernel_initializer = keras.initializers.GlorotUniform()
        # Per gate and direction: orthogonal keeps the state's size over many steps.
        self.recurrent_kernel_initializer = keras.initializers.Orthogonal()
        self.bias_initializer = keras.initializers.Zeros()
        self.recurrent_bias_initializer = keras.initializers.Zeros()

    def build(self, input_shape: Any) -> None:
        """Create kernels (width, 6 units) and (units, 6 units), and biases (2, 3 units)."""
        self.kernel = self.add_weight(
            shape=(input_shape[-1], 6 * self.units),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, 6 * self.units),
            initializer=self.recurrent_kernel_initializer,
            name="recurrent_kernel",
        )
        self.bias = self.add_weight(
            shape=(2, 3 * self.units), initializer=self.bias_initializer, name="bias"
        )
        self.recurrent_bias = self.add_weight(
            shape=(2, 3 * self.units),
            initializer=self.recurrent_bias_initializer,
            name="recurrent_bias",
        )

    def call(self, values: Any, mask: Any) -> Any:
        """Map (batch, length, width) and a mask (batch, length) to (batch, length, 2 units).

        A step that the mask hides leaves the state as it is, so padding changes nothing.
        """
        batch, length = tf.shape(values)[0], values.shape[1]
        products = tf.matmul(tf.reshape(values, [-1, values.shape[2]]), self.kernel.value)
        products = tf.reshape(products, [batch, length, 2, 3 * self.units])
        both_ways = tf.stack([products[:, :, 0], tf.reverse(products[:, :, 1], [1])])
        inputs = tf.transpose(both_ways, [2, 0, 1, 3]) + self.bias.value[None, :, None]
        visible = tf.transpose(tf.stack([mask, tf.reverse(mask, [1])]), [2, 0, 1])[..., None]
        states = self._scan(inputs, visible, length)
        forward = tf.transpose(states[:, 0], [1, 0, 2])
        backward = tf.reverse(tf.transpose(states[:, 1], [1, 0, 2]), [1])
        return tf.concat([forward, backward], axis=-1)

    def _scan(self, inputs: Any, visible: Any, length: int) -> Any:
        """Run (length, 2, batch, 3 units) through the cells; gives (length, 2, batch, units)."""
        kernels = tf.stack(tf.split(self.recurrent_kernel.value, 2, axis=1))
        bias = self.recurrent_bias.value[:, None]

        def step(time: Any, state: Any, states: Any) -> tuple[Any, Any, Any]:
            update, reset, candidate = tf.split(inputs[time], 3, axis=-1)
            recurrent = tf.matmul(state, kernels) + bias
            update_too, reset_too, candidate_too = tf.split(recurrent, 3, axis=-1)
            gate = tf.sigmoid(update + update_too)
            new = tf.tanh(candidate + tf.sigmoid(reset + reset_too) * candidate_too)
            moved = gate * state + (1.0 - gate) * new
            state = tf.where(visible[time] > 0, moved, state)
            return time + 1, state, states.write(time, state)

        _, _, states = tf.while_loop(
            lambda time, *_: time < length,
            step,
            (
                tf.constant(0),
                tf.zeros_like(inputs[0, :, :, : self.units]),
                tf.TensorArray(tf.float32, size=length),
            ),
            maximum_iterations=length,
        )
        return states.stack()


class BiGRU(keras.layers.Layer):
    """Embedding, a bidirectional GRU, and the maximum of each unit over the text.

    Notes
    -----
    Conneau et al. 2017, arXiv:1705.02364, section 3.2.2, found max pooling better than the last
    state for sentences.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("embedding", "gru")
    USES_ORDER: ClassVar[bool] = True
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.kernel_sizes", "model.pooling_power"})

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(name="bigru")
        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        self.gru = BidirectionalGRU(shape.width)

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the units of each direction: 64, so that the head sees 128 features."""
        return 64

    def configure(self, settings: ModelSettings) -> None:
        """Do nothing: no number of this network may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], [self.gru])

    def call(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, 2 * width) float32."""
        mask = tf.cast(token_ids != 0, tf.float32)
        visible = mask if dropout is None else dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids)
        if dropout is not None:
            embedded = dropout.hide_units(embedded, salt=1)
        # A hidden token is skipped, as padding is. States lie in (-1, 1): what is set to -1 never
        # wins the maximum.
        states = self.gru(embedded, visible)
        features = tf.reduce_max(tf.where(visible[..., None] > 0, states, -1.0), axis=1)
        return features if dropout is None else dropout.hide_units(features, salt=2)


Backbone = BiGRU
