"""The maximum of a convolution against plain automatic differentiation."""

import numpy as np
import tensorflow as tf

from tuner.models.layers import Convolution

GENERATOR = np.random.default_rng(0)
VALUES = tf.constant(GENERATOR.normal(size=(3, 7, 4)), tf.float32)
MASK = tf.constant(np.arange(7) < np.array([[7], [3], [1]]), tf.float32)


def by_definition(kernel, bias):
    """A text's maximum over its own windows, window by window."""
    padded = tf.pad(VALUES, [[0, 0], [1, 1], [0, 0]])
    windows = tf.stack(
        [
            tf.einsum("biw,iwf->bf", padded[:, place : place + 3], kernel) + bias
            for place in range(7)
        ],
        axis=1,
    )
    return tf.reduce_max(tf.nn.relu(windows) * MASK[..., None], axis=1)


def test_maximum_and_its_gradients_are_those_of_the_definition():
    layer = Convolution(3, 5)
    layer.build((None, None, 4))
    kernel, bias = layer.kernel.value, layer.bias.value
    weights = tf.constant(GENERATOR.normal(size=(3, 5)), tf.float32)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(VALUES)
        found, expected = layer(VALUES, MASK), by_definition(kernel, bias)
        losses = [tf.reduce_sum(weights * tf.square(each)) for each in (found, expected)]

    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-6)
    for source in (VALUES, kernel, bias):
        ours, theirs = (tape.gradient(loss, source).numpy() for loss in losses)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
