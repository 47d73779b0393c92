"""Layers of our own against Keras's."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tuner.models import ModelShape
from tuner.models.backbones.transformer import Transformer
from tuner.models.layers import BidirectionalGRU, Block, attended, sinusoids

VALUES = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], np.float32)


def randomise(layer):
    generator = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(generator.normal(scale=0.5, size=weight.shape))


def gru_pair():
    """Our layer, and Keras's forward and backward one with the same weights."""
    ours = BidirectionalGRU(3)
    ours(VALUES, MASK)
    randomise(ours)
    theirs = []
    for way, go_backwards in enumerate([False, True]):
        one = keras.layers.GRU(3, return_sequences=True, go_backwards=go_backwards)
        one.build(VALUES.shape)
        one.set_weights(
            [
                ours.kernel.numpy()[:, way * 9 : way * 9 + 9],
                ours.recurrent_kernel.numpy()[:, way * 9 : way * 9 + 9],
                np.stack([ours.bias.numpy()[way], ours.recurrent_bias.numpy()[way]]),
            ]
        )
        theirs.append(one)
    return ours, theirs


def of_keras(theirs, values):
    forward, backward = (one(values, mask=tf.constant(MASK > 0)) for one in theirs)
    return tf.concat([forward, tf.reverse(backward, [1])], axis=-1)


def test_gru_equals_keras_in_both_directions_with_and_without_padding():
    ours, theirs = gru_pair()

    found = ours(VALUES, MASK).numpy()

    is_text = MASK > 0
    expected = of_keras(theirs, VALUES).numpy()
    np.testing.assert_allclose(found[is_text], expected[is_text], atol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_of_the_gru_equal_those_that_keras_takes(compiled):
    ours, theirs = gru_pair()
    values, weigh = tf.constant(VALUES), tf.constant(MASK)[..., None] * tf.range(6.0)

    @tf.function(jit_compile=compiled)
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(values)
            sum_of_squares = tf.reduce_sum(weigh * tf.square(ours(values, tf.constant(MASK))))
        return tape.gradient(sum_of_squares, [values, *(w.value for w in ours.weights)])

    with tf.GradientTape() as tape:
        tape.watch(values)
        sum_of_squares = tf.reduce_sum(weigh * tf.square(of_keras(theirs, values)))
    ways = [[weight.value for weight in one.weights] for one in theirs]
    of_values, forward, backward = tape.gradient(sum_of_squares, [values, *ways])

    of_kernel, of_recurrent, of_bias = (
        tf.stack(pair) for pair in zip(forward, backward, strict=True)
    )
    expected = [
        of_values, tf.concat(tf.unstack(of_kernel), 1), tf.concat(tf.unstack(of_recurrent), 1),
        of_bias[:, 0], of_bias[:, 1],
    ]  # fmt: skip
    for found, wanted in zip(gradients(), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-4)


def test_attention_equals_keras():
    block = Block(1, width=4, feed_forward=8)
    block(VALUES, MASK, None, salt=0)
    for layer in block.layers():
        randomise(layer)
    theirs = keras.layers.MultiHeadAttention(num_heads=4, key_dim=1)
    theirs(VALUES, VALUES)
    kernel, bias = (weight.numpy() for weight in block.attend.weights)
    per_head = [(kernel[:, i * 4 : i * 4 + 4], bias[i * 4 : i * 4 + 4]) for i in range(3)]
    query, key, value = ((k.reshape(4, 4, 1), b.reshape(4, 1)) for k, b in per_head)
    out_kernel, out_bias = (weight.numpy() for weight in block.combine.weights)
    theirs.set_weights([*query, *key, *value, out_kernel.reshape(4, 1, 4), out_bias])

    found = block._attention(tf.constant(VALUES), tf.constant(MASK)).numpy()

    expected = theirs(VALUES, VALUES, attention_mask=tf.constant(MASK[:, None] > 0)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_attention_of_long_texts_in_pieces_equals_that_of_all_at_once(monkeypatch, compiled):
    generator = np.random.default_rng(5)
    texts = [tf.constant(generator.normal(size=(6, 2, 5, 3)), tf.float32) for _ in range(3)]
    mask = tf.constant([[1.0, 1, 1, 1, 0], [1, 0, 0, 0, 0]] * 3)

    def found():
        @tf.function(jit_compile=compiled)
        def results():
            with tf.GradientTape() as tape:
                tape.watch(texts)
                together = attended.attended(*texts, mask)
                total = tf.reduce_sum(tf.sin(together))
            return [together, *tape.gradient(total, texts)]

        return [each.numpy() for each in results()]

    whole = found()
    monkeypatch.setattr(attended, "WEIGHTS_AT_ONCE", 0)
    for weights_a_piece in (1, 100, 200):  # pieces of one, two and three texts
        monkeypatch.setattr(attended, "WEIGHTS_A_PIECE", weights_a_piece)
        for piece, wanted in zip(found(), whole, strict=True):
            np.testing.assert_allclose(piece, wanted, atol=1e-6)


def test_places_of_the_first_tokens_by_hand():
    # Width 4: rates 1 and 1/100; sine at even units, cosine at odd ones.
    expected = [[0, 1, 0, 1], [np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)]]

    np.testing.assert_allclose(sinusoids(2, 4), expected, atol=1e-6)


@pytest.mark.parametrize("width", [6, 7])
def test_width_that_four_heads_do_not_divide_gets_fewer_heads(width):
    network = Transformer(ModelShape("transformer", 20, 2, width, 8, (3,)))

    assert network(np.array([[2, 3, 4]], np.int32)).shape == (1, width)
