"""Updates against Keras's own optimizer and against NumPy."""

import keras
import numpy as np
import tensorflow as tf

from tuner.training.adam import DESCENT, Adam


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


TABLE = "embedding/embedding/embeddings"


def train_table(table, batches, *, momentum, rates, l1=0.0, l2=0.0):
    """Train a table whose batches are (rows, gradient of each), and give it at the end."""
    variable = tf.Variable(table)
    variables = [(TABLE, variable, 0)]
    adam = Adam(variables, table=TABLE)
    for (rows, gradient), rate in zip(batches, rates, strict=True):
        touched = adam.read(variable, tf.constant(rows), momentum=tf.constant(momentum))
        adam.apply(
            variables, [tf.constant(gradient)], touched=touched, rates=tf.constant([rate]),
            l1=l1, l2=l2,
        )  # fmt: skip
    if momentum:
        adam.settle(variable)
    return variable.numpy()


def batches_of(generator, n_batches, n_rows, width):
    """Draw batches that touch some rows often, others seldom or never."""
    batches = []
    for _ in range(n_batches):
        rows = [row for row in range(n_rows - 1) if generator.random() < 1.0 / (row + 1)]
        batches.append((rows, generator.normal(size=(len(rows), width)).astype(np.float32)))
    return batches


def test_dense_updates_of_rows_equal_keras_whatever_batch_touches_them():
    generator = np.random.default_rng(0)
    table = generator.normal(size=(12, 3)).astype(np.float32)
    batches = batches_of(generator, 120, *table.shape)
    theirs = keras.Variable(table)
    reference = keras.optimizers.Adam(learning_rate=0.01)
    reference.build([theirs])

    for rows, gradient in batches:
        dense = np.zeros_like(table)
        dense[rows] = gradient
        reference.apply([tf.constant(dense)], [theirs])
    ours = train_table(table, batches, momentum=1.0, rates=[0.01] * len(batches))

    moved = np.abs(theirs.numpy() - table).max()
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3 * moved)
    assert np.array_equal(ours[-1], table[-1])


def test_a_falling_rate_changes_what_a_row_makes_up_for_but_little():
    generator = np.random.default_rng(1)
    table = generator.normal(size=(12, 3)).astype(np.float32)
    batches = batches_of(generator, 300, *table.shape)
    rates = [0.01 * (1 - step / 300) for step in range(300)]
    theirs = keras.Variable(table)
    reference = keras.optimizers.Adam(learning_rate=0.01)
    reference.build([theirs])

    for (rows, gradient), rate in zip(batches, rates, strict=True):
        dense = np.zeros_like(table)
        dense[rows] = gradient
        reference.learning_rate = rate
        reference.apply([tf.constant(dense)], [theirs])
    ours = train_table(table, batches, momentum=1.0, rates=rates)

    moved = np.abs(theirs.numpy() - table).max()
    np.testing.assert_allclose(ours, theirs.numpy(), atol=0.03 * moved)


def test_touched_rows_equal_numpy_and_the_others_stay():
    generator = np.random.default_rng(0)
    table = generator.normal(size=(6, 3)).astype(np.float32)
    expected, first, second = table.astype(np.float64), np.zeros((6, 3)), np.zeros((6, 3))
    l1, l2, rate = 0.01, 0.02, 0.1
    batches = [
        (rows, generator.normal(size=(len(rows), 3)).astype(np.float32))
        for rows in ([1, 3], [3, 4], [1, 4, 0])
    ]

    for step, (rows, gradients) in enumerate(batches, start=1):
        for row, gradient in zip(rows, gradients, strict=True):
            gradient = gradient + l1 * np.sign(expected[row]) + 2 * l2 * expected[row]
            first[row] = 0.9 * first[row] + 0.1 * gradient
            second[row] = 0.999 * second[row] + 0.001 * gradient**2
            correction = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            expected[row] -= rate * correction * first[row] / (np.sqrt(second[row]) + 1e-7)
    ours = train_table(table, batches, momentum=0.0, rates=[rate] * 3, l1=l1, l2=l2)

    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
    assert np.array_equal(ours[[2, 5]], table[[2, 5]])


def test_penalties_spare_biases():
    kernel, bias = tf.Variable([1.0]), tf.Variable([1.0])
    variables = [("head/head/kernel", kernel, 0), ("head/head/bias", bias, 0)]

    Adam(variables).apply(
        variables, [tf.zeros(1), tf.zeros(1)], rates=tf.constant([0.1]), l1=0.1, l2=0.1
    )

    assert kernel.numpy()[0] < 1.0
    assert bias.numpy()[0] == 1.0


def test_table_that_descends_takes_plain_steps_and_keeps_its_last_column():
    table = np.array([[0.0, 0.0, 0.0], [0.5, -0.5, 2.0], [1.0, 1.0, 3.0]], np.float32)
    gradient = np.array([[0.0, 0.0, 0.0], [0.1, -0.2, 0.0]], np.float32)
    variable = tf.Variable(table)
    variables = [(TABLE, variable, 0)]
    adam = Adam(variables, table=TABLE, descends=True)

    touched = adam.read(variable, tf.constant([0, 1]), momentum=1.0)
    adam.apply(
        variables, [tf.constant(gradient)], touched=touched, rates=tf.constant([1e-4]), l1=0.01,
        l2=0.1,
    )  # fmt: skip
    adam.settle(variable)

    penalised = gradient[1, :2] + 0.01 * np.sign(table[1, :2]) + 2 * 0.1 * table[1, :2]
    expected = table.copy()
    expected[1, :2] -= DESCENT * 1e-4 * penalised
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5)
    assert adam.moments().keys() == {"step"}
