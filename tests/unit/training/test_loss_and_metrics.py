import math

import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tuner.training import score
from tuner.training.loss import class_weights, cross_entropy


def loss(**changes):
    arguments = {
        "row_weights": tf.constant([1.0, 1.0]),
        "class_weights": tf.constant([1.0, 1.0]),
        "label_smoothing": tf.constant(0.0),
        "focal_gamma": tf.constant(0.0),
    } | changes
    logits = tf.constant([[math.log(3.0), 0.0], [0.0, 0.0]])  # probabilities 3/4, 1/4; 1/2, 1/2
    return float(cross_entropy(logits, tf.constant([0, 1]), **arguments))


def test_cross_entropy_by_hand():
    assert loss() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_rows_that_fill_up_the_batch_do_not_count():
    assert loss(row_weights=tf.constant([1.0, 0.0])) == pytest.approx(math.log(4 / 3))


def test_class_weights_weigh_the_mean():
    weighted = loss(class_weights=tf.constant([3.0, 1.0]))

    assert weighted == pytest.approx((3 * math.log(4 / 3) + math.log(2)) / 4)


def test_label_smoothing_spreads_the_target():
    smoothed = loss(row_weights=tf.constant([1.0, 0.0]), label_smoothing=tf.constant(0.2))

    # 0.8 of the target, and 0.2 of the mean over both classes
    assert smoothed == pytest.approx(0.8 * math.log(4 / 3) + 0.1 * (math.log(4 / 3) + math.log(4)))


def test_focal_loss_makes_what_is_learnt_count_less():
    # (1 - 3/4)^2 and (1 - 1/2)^2 of the rows' losses
    expected = (math.log(4 / 3) / 16 + math.log(2) / 4) / 2

    assert loss(focal_gamma=tf.constant(2.0)) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradient_is_finite_for_a_row_that_is_certain(gamma):
    logits = tf.Variable([[100.0, -100.0], [-100.0, 100.0]])
    with tf.GradientTape() as tape:
        value = cross_entropy(
            logits,
            tf.constant([0, 0]),
            row_weights=tf.ones(2),
            class_weights=tf.ones(2),
            label_smoothing=tf.constant(0.0),
            focal_gamma=tf.constant(gamma),
        )

    assert np.isfinite(tape.gradient(value, logits).numpy()).all()
    assert float(value) == pytest.approx(100.0)


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0, 0, 0, 1], np.int32)

    assert class_weights(labels, 3, "balanced").tolist() == pytest.approx([4 / 9, 4 / 3, 1.0])
    assert class_weights(labels, 3, "none").tolist() == [1.0, 1.0, 1.0]


def test_scores_by_hand():
    labels = np.array([0, 0, 1, 1], np.int32)
    predicted = np.array([0, 1, 1, 1], np.int32)
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [0.25, 0.75]], np.float32)

    scores = score(labels, predicted, ["a", "b"], probabilities=probabilities)

    assert scores.value("accuracy") == 0.75
    assert scores.value("macro_f1") == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert scores.per_class["b"] == pytest.approx(
        {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2}
    )
    assert scores.value("log_loss") == pytest.approx(
        -(math.log(0.5) + math.log(0.25) + math.log(0.5) + math.log(0.75)) / 4
    )


def test_correlation_of_one_class_alone_is_nought_and_no_warning():
    labels = np.array([1, 1], np.int32)

    scores = score(labels, labels, ["a", "b"])

    assert (scores.value("mcc"), scores.value("accuracy")) == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(pairs):
    labels, predicted = np.array(pairs, np.int32).T

    scores = score(labels, predicted, ["a", "b", "c", "d", "e"])

    present = np.union1d(labels, predicted)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, labels=present, zero_division=0
    )
    assert scores.value("macro_f1") == pytest.approx(f1.mean())
    assert scores.value("weighted_f1") == pytest.approx(np.average(f1, weights=support))
    assert scores.value("accuracy") == pytest.approx(
        sklearn.metrics.accuracy_score(labels, predicted)
    )
    if len(present) > 1:
        assert scores.value("mcc") == pytest.approx(
            sklearn.metrics.matthews_corrcoef(labels, predicted)
        )
    assert list(scores.per_class) == ["abcde"[number] for number in present]
    for place, row in enumerate(scores.per_class.values()):
        assert row == pytest.approx(
            {"precision": precision[place], "recall": recall[place], "f1": f1[place],
             "support": support[place]}
        )  # fmt: skip
