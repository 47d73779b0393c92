"""Updates against Keras's own optimizer and against NumPy."""

import keras
import numpy as np
import tensorflow as tf

from tuner.training.adam import Adam, TouchedRows


def test_dense_updates_equal_keras():
    start = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    ours, theirs = tf.Variable(start), keras.Variable(start)
    variables = [("head/head/kernel", ours, 0)]
    adam, reference = Adam(variables), keras.optimizers.Adam(learning_rate=0.01)
    reference.build([theirs])

    for step in range(5):
        gradient = tf.constant(np.sin(start * (step + 1)), tf.float32)
        adam.apply(variables, [gradient], rates=tf.constant([0.01]), l1=0.0, l2=0.0)
        reference.apply([gradient], [theirs])

    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_touched_rows_equal_numpy_and_the_others_stay():
    generator = np.random.default_rng(0)
    table = generator.normal(size=(6, 3)).astype(np.float32)
    variable = tf.Variable(table)
    variables = [("embedding/embedding/embeddings", variable, 0)]
    adam = Adam(variables)
    expected, first, second = table.astype(np.float64), np.zeros((6, 3)), np.zeros((6, 3))
    l1, l2, rate = 0.01, 0.02, 0.1

    for step, rows in enumerate([[1, 3, 1], [3, 3, 4], [1, 4, 0]], start=1):
        values = generator.normal(size=(3, 3)).astype(np.float32)
        slices = tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([6, 3]))
        adam.apply(variables, [slices], rates=tf.constant([rate]), l1=l1, l2=l2)
        for row in set(rows):
            gradient = sum(
                value.astype(np.float64) for value, r in zip(values, rows, strict=True) if r == row
            )
            gradient = gradient + l1 * np.sign(expected[row]) + 2 * l2 * expected[row]
            first[row] = 0.9 * first[row] + 0.1 * gradient
            second[row] = 0.999 * second[row] + 0.001 * gradient**2
            correction = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            expected[row] -= rate * correction * first[row] / (np.sqrt(second[row]) + 1e-7)

    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert np.array_equal(variable.numpy()[[2, 5]], table[[2, 5]])


def test_rows_given_once_are_updated_like_those_of_a_lookup():
    start = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    lookup, given = tf.Variable(start), tf.Variable(start)
    rows, gradient = tf.constant([4, 1]), tf.constant([[1.0, -2.0, 0.5], [0.1, 0.2, 0.3]])
    penalties = {"rates": tf.constant([0.1]), "l1": 0.01, "l2": 0.02}
    one, two = [("e", lookup, 0)], [("e", given, 0)]
    adam, other = Adam(one), Adam(two)

    for _ in range(3):
        adam.apply(one, [tf.IndexedSlices(gradient, rows, tf.constant([6, 3]))], **penalties)
        touched = TouchedRows(rows, tf.gather(given, rows), gradient)
        other.apply(two, [touched], **penalties)

    np.testing.assert_allclose(given.numpy(), lookup.numpy(), rtol=1e-6)


def test_penalties_spare_biases():
    kernel, bias = tf.Variable([1.0]), tf.Variable([1.0])
    variables = [("head/head/kernel", kernel, 0), ("head/head/bias", bias, 0)]

    Adam(variables).apply(
        variables, [tf.zeros(1), tf.zeros(1)], rates=tf.constant([0.1]), l1=0.1, l2=0.1
    )

    assert kernel.numpy()[0] < 1.0
    assert bias.numpy()[0] == 1.0
