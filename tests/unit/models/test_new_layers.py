"""Layers of our own against Keras's."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tuner.models import ModelShape
from tuner.models.backbones.bigru import BidirectionalGRU
from tuner.models.backbones.transformer import Block, Transformer, sinusoids

VALUES = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], np.float32)


def randomise(layer):
    generator = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(generator.normal(scale=0.5, size=weight.shape))


def test_gru_equals_keras_in_both_directions_with_and_without_padding():
    ours = BidirectionalGRU(3)
    ours(VALUES, MASK)
    randomise(ours)
    expected = []
    for way, go_backwards in enumerate([False, True]):
        theirs = keras.layers.GRU(3, return_sequences=True, go_backwards=go_backwards)
        theirs.build(VALUES.shape)
        theirs.set_weights(
            [
                ours.kernel.numpy()[:, way * 9 : way * 9 + 9],
                ours.recurrent_kernel.numpy()[:, way * 9 : way * 9 + 9],
                np.stack([ours.bias.numpy()[way], ours.recurrent_bias.numpy()[way]]),
            ]
        )
        states = theirs(VALUES, mask=tf.constant(MASK > 0)).numpy()
        expected.append(states[:, ::-1] if go_backwards else states)

    found = ours(VALUES, MASK).numpy()

    is_text = MASK > 0
    np.testing.assert_allclose(
        found[is_text], np.concatenate(expected, axis=-1)[is_text], atol=1e-5
    )


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


def test_places_of_the_first_tokens_by_hand():
    # Width 4: rates 1 and 1/100; sine at even units, cosine at odd ones.
    expected = [[0, 1, 0, 1], [np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)]]

    np.testing.assert_allclose(sinusoids(2, 4), expected, atol=1e-6)


@pytest.mark.parametrize("width", [6, 7])
def test_width_that_four_heads_do_not_divide_gets_fewer_heads(width):
    network = Transformer(ModelShape("transformer", 20, 2, width, 8, (3,)))

    assert network(np.array([[2, 3, 4]], np.int32)).shape == (1, width)
