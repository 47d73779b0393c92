import json

import numpy as np
import pytest

from tuner.evaluation.comparison import compare


def rows(both_right=0, only_winner=0, only_other=0, both_wrong=0):
    """Labels and two predictions, all of two classes, label 0 first and half of the rows each."""
    winner = [1] * both_right + [1] * only_winner + [0] * only_other + [0] * both_wrong
    other = [1] * both_right + [0] * only_winner + [1] * only_other + [0] * both_wrong
    labels = np.arange(len(winner), dtype=np.int32) % 2
    right = np.array([winner, other], np.int32)
    return labels, *np.where(right == 1, labels, 1 - labels).astype(np.int32)


def noisy(n, *, n_classes, right, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n).astype(np.int32)
    models = [
        np.where(rng.random(n) < share, labels, rng.integers(0, n_classes, n)).astype(np.int32)
        for share in right
    ]
    return labels, *models


def one(labels, winner, other, *, n_classes=2):
    [found] = compare(labels, winner, {"other": other}, n_classes=n_classes, seed=1)
    return found


def test_eight_rows_against_two_have_the_exact_p_of_mcnemar():
    found = one(*rows(both_right=80, only_winner=8, only_other=2, both_wrong=10)).accuracy

    assert found.value == pytest.approx(0.06)
    assert (found.only_winner, found.only_other) == (8, 2)
    assert found.p == pytest.approx(2 * (1 + 10 + 45) / 1024)  # 0.109375


def test_the_other_model_may_be_the_better_one():
    better = one(*rows(both_right=80, only_winner=8, only_other=2, both_wrong=10)).accuracy
    worse = one(*rows(both_right=80, only_winner=2, only_other=8, both_wrong=10)).accuracy

    assert (worse.value, worse.p) == (-better.value, better.p)
    assert worse.interval.low == pytest.approx(-better.interval.high)
    assert worse.interval.high == pytest.approx(-better.interval.low)


def test_ten_rows_that_only_the_winner_has_right_have_the_interval_of_tango():
    found = one(*rows(only_winner=10)).accuracy

    # the lower end solves 10 (1 - d) = z^2 (1 + d): (10 - z^2) / (10 + z^2)
    assert found.interval.low == pytest.approx(0.44493, abs=1e-5)
    assert found.interval.high == 1.0


def test_models_that_agree_on_every_row_are_equal_but_not_surely_so():
    found = one(*rows(both_right=70, both_wrong=30))

    assert found.accuracy.value == found.macro_f1.value == 0
    assert found.accuracy.p == found.macro_f1.p == 1
    # z^2 / (100 + z^2), for accuracy by Tango and for macro-F1 as its floor
    assert found.accuracy.interval.high == pytest.approx(0.036994, abs=1e-6)
    assert found.accuracy.interval.low == pytest.approx(-0.036994, abs=1e-6)
    assert found.macro_f1.interval.high == pytest.approx(0.036994, abs=1e-6)
    assert found.macro_f1.interval.low == pytest.approx(-0.036994, abs=1e-6)


def test_as_many_rows_for_each_model_have_p_1():
    assert one(*rows(both_right=10, only_winner=3, only_other=3)).accuracy.p == 1


def test_five_rows_that_only_the_winner_has_right_do_not_make_macro_f1_better():
    found = one(*rows(both_right=395, only_winner=5, both_wrong=100)).macro_f1

    # swapping rows: only all or none of the five are as far apart, 2 in 32
    assert found.value > 0
    assert found.p == pytest.approx(2 / 32, abs=0.02)


def test_a_class_of_a_single_test_row_does_not_decide():
    # Of 76 rows two are right by the winner alone and three by the other alone, but one of these
    # three is the only row of its class: 17 points of macro-F1.
    labels = np.array([*np.repeat(np.arange(5), 15), 5], np.int32)
    other = labels.copy()
    other[::4] = (labels[::4] + 1) % 5
    other[75] = 5
    winner = other.copy()
    winner[[0, 16]] = labels[[0, 16]]
    winner[[1, 17, 75]] = (labels[[1, 17, 75]] + 1) % 5

    found = one(labels, winner, other, n_classes=6).macro_f1

    assert found.value < -0.15
    assert found.p > 0.5
    assert found.interval.low < found.value
    assert found.interval.high > 0.1


def test_a_clear_difference_is_found_in_both_scores():
    found = one(*noisy(1000, n_classes=10, right=(0.9, 0.7), seed=1), n_classes=10)

    assert found.n == 1000
    assert found.accuracy.p < 0.001
    assert found.macro_f1.p < 0.001
    assert 0 < found.macro_f1.interval.low < found.macro_f1.value < found.macro_f1.interval.high


def test_macro_f1_shows_a_rare_class_that_accuracy_hides():
    labels = np.array([0] * 190 + [1] * 10, np.int32)
    majority = np.zeros(200, np.int32)

    found = one(labels, labels, majority)

    # F1 of always saying 0: 380/390 and 0, mean 19/39
    assert found.accuracy.value == pytest.approx(0.05)
    assert found.macro_f1.value == pytest.approx(1 - 19 / 39)


def test_holm_multiplies_the_smallest_p_by_all_and_the_largest_by_one():
    labels, winner, first = rows(both_right=80, only_winner=8, only_other=2, both_wrong=10)
    second = winner.copy()
    second[80:88] = 1 - labels[80:88]  # eight rows against none: p = 2 / 2^8

    found = compare(
        labels, winner, {"first": first, "second": second, "same": winner}, n_classes=2, seed=1
    )

    assert [c.accuracy.p for c in found] == pytest.approx([0.109375, 0.0078125, 1.0])
    assert [c.accuracy.p_adjusted for c in found] == pytest.approx([0.21875, 0.0234375, 1.0])


def test_an_adjusted_p_is_never_smaller_than_that_of_a_clearer_difference():
    labels, winner, other = rows(both_right=80, only_winner=8, only_other=2, both_wrong=10)

    found = compare(labels, winner, {"a": other, "b": other}, n_classes=2, seed=1)

    assert [c.accuracy.p_adjusted for c in found] == pytest.approx([0.21875, 0.21875])


def test_what_is_said_of_a_model_does_not_depend_on_the_others():
    labels, winner, first, second = noisy(300, n_classes=4, right=(0.8, 0.75, 0.7), seed=2)

    alone = compare(labels, winner, {"second": second}, n_classes=4, seed=1)[0]
    beside = compare(labels, winner, {"first": first, "second": second}, n_classes=4, seed=1)[1]

    assert (beside.macro_f1.interval, beside.macro_f1.p) == (
        alone.macro_f1.interval,
        alone.macro_f1.p,
    )
    assert [c.other for c in (alone, beside)] == ["second", "second"]


def test_the_same_seed_gives_the_same_comparison():
    labels, winner, other = noisy(300, n_classes=4, right=(0.8, 0.75), seed=2)

    first = compare(labels, winner, {"other": other}, n_classes=4, seed=1)

    assert compare(labels, winner, {"other": other}, n_classes=4, seed=1) == first
    assert compare(labels, winner, {"other": other}, n_classes=4, seed=2) != first


def test_two_rows_are_enough_to_compare():
    found = one(*rows(only_winner=1, both_wrong=1))

    assert found.accuracy.value == 0.5
    assert found.accuracy.p == found.macro_f1.p == 1
    assert found.macro_f1.interval.low < 0 < found.macro_f1.interval.high


def test_a_comparison_is_json_ready():
    found = one(*rows(both_right=80, only_winner=8, only_other=2, both_wrong=10)).as_json()

    assert json.loads(json.dumps(found)) == found
    assert list(found) == ["other", "n", "accuracy", "macro_f1"]
    assert found["accuracy"]["only_winner"] == 8
    assert "only_winner" not in found["macro_f1"]


def test_without_others_there_is_nothing_to_compare():
    labels, winner, _ = rows(both_right=2)

    assert compare(labels, winner, {}, n_classes=2, seed=1) == ()


def test_predictions_of_another_length_are_refused():
    labels, winner, other = rows(both_right=4)

    with pytest.raises(ValueError, match="predictions"):
        compare(labels, winner, {"other": other[:3]}, n_classes=2, seed=1)
