"""A gated recurrent unit that reads both ways in one loop."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

__all__ = ["BidirectionalGRU"]


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
        kernels = tf.stack(tf.split(self.recurrent_kernel.value, 2, axis=1))
        states = _scan(inputs, visible, kernels, self.recurrent_bias.value[:, None])
        forward = tf.transpose(states[:, 0], [1, 0, 2])
        backward = tf.reverse(tf.transpose(states[:, 1], [1, 0, 2]), [1])
        return tf.concat([forward, backward], axis=-1)


@tf.custom_gradient
def _scan(inputs: Any, visible: Any, kernels: Any, bias: Any) -> Any:
    """Run the cells over (length, 2, batch, 3 units) and give the states after each step.

    `visible` is (length, 2, batch, 1), `kernels` (2, units, 3 units), `bias` (2, 1, 3 units); the
    states are (length, 2, batch, units). TensorFlow's own gradient of a loop that reads one step
    of a tensor adds up a whole tensor per step, so that its time grows with the square of the
    length. Here the gates are kept, and the loop back has one product a step.

    Notes
    -----
    Werbos 1990, "Backpropagation through time".
    """
    length, n_units = inputs.shape[0], kernels.shape[1]
    start = tf.zeros_like(inputs[0, :, :, :n_units])

    def step(time: Any, state: Any) -> tuple[Any, Any]:
        update, reset, candidate = tf.split(inputs[time], 3, axis=-1)
        recurrent = tf.matmul(state, kernels) + bias
        update_too, reset_too, candidate_too = tf.split(recurrent, 3, axis=-1)
        gate, reset = tf.sigmoid(update + update_too), tf.sigmoid(reset + reset_too)
        new = tf.tanh(candidate + reset * candidate_too)
        moved = gate * state + (1.0 - gate) * new
        state = tf.where(visible[time] > 0, moved, state)
        return state, tf.concat([gate, reset, new, candidate_too], axis=-1)

    states, gates = _loop(length, step, start, n_kept=4 * n_units)

    def gradient(upstream: Any) -> tuple[Any, None, Any, Any]:
        before = tf.concat([start[None], states[:-1]], axis=0)
        gate, reset, new, candidate = tf.split(gates, 4, axis=-1)
        # What the gradient of a moved state is multiplied by for what goes into each gate.
        of_new = (1.0 - gate) * (1.0 - new * new)
        of_update = (before - new) * gate * (1.0 - gate)
        of_reset = of_new * candidate * reset * (1.0 - reset)
        of_inputs = tf.concat([of_update, of_reset, of_new], axis=-1)
        of_recurrent = tf.concat([of_update, of_reset, of_new * reset], axis=-1)
        backward = tf.transpose(kernels, [0, 2, 1])

        def step_back(time: Any, after: Any) -> tuple[Any, Any]:
            place = length - 1 - time
            state = after + upstream[place]
            moved = tf.where(visible[place] > 0, state, 0.0)
            recurrent = of_recurrent[place] * tf.concat([moved] * 3, axis=-1)
            stayed = state - moved + gate[place] * moved
            return stayed + tf.matmul(recurrent, backward), moved

        _, moved = _loop(length, step_back, start, n_kept=n_units)
        moved = tf.tile(tf.reverse(moved, [0]), [1, 1, 1, 3])
        recurrent = of_recurrent * moved
        of_kernels = tf.einsum("tdbu,tdbv->duv", before, recurrent)
        of_bias = tf.reduce_sum(recurrent, axis=[0, 2])[:, None]
        return of_inputs * moved, None, of_kernels, of_bias

    return states, gradient


def _loop(length: int, step: Any, start: Any, *, n_kept: int) -> tuple[Any, Any]:
    """Run `step`, (time, state) -> (state, kept); give all states and all that was kept.

    States and `kept` are (length, *state.shape[:-1], units), `kept` with `n_kept` units.
    """
    shapes = (start.shape, [*start.shape[:-1], n_kept])
    arrays = [tf.TensorArray(tf.float32, size=length, element_shape=shape) for shape in shapes]

    def body(time: Any, state: Any, states: Any, every: Any) -> tuple[Any, ...]:
        state, kept = step(time, state)
        return time + 1, state, states.write(time, state), every.write(time, kept)

    _, _, states, every = tf.while_loop(
        lambda time, *_: time < length,
        body,
        (tf.constant(0), start, *arrays),
        maximum_iterations=length,
    )
    return states.stack(), every.stack()
