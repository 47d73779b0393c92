import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from tuner.evaluation.bootstrap import group, score_intervals


def array(*numbers):
    return np.array(numbers, np.int32)


def noisy(n, *, n_classes, right, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n).astype(np.int32)
    guessed = rng.integers(0, n_classes, n).astype(np.int32)
    return labels, np.where(rng.random(n) < right, labels, guessed).astype(np.int32)


def test_accuracy_has_the_interval_of_wilson():
    labels = array(*[0] * 10)
    predicted = array(*[0] * 8, 1, 1)

    found = score_intervals(labels, predicted, n_classes=2, seed=1)["accuracy"]

    # z^2 = 3.8415: centre (0.8 + 0.19207) / 1.38415 = 0.71674,
    # half width 1.95996 / 1.38415 * sqrt(0.016 + 0.0096037) = 0.22658
    assert (found.low, found.high) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    assert found.level == 0.95


def test_ten_rows_that_are_all_right_do_not_prove_perfection():
    labels = array(0, 1, 0, 1, 0, 1, 0, 1, 0, 1)

    found = score_intervals(labels, labels, n_classes=2, seed=1)

    # Wilson with no error: 10 / (10 + 3.8415); the classes are balanced, so for both scores
    assert found["accuracy"].low == pytest.approx(0.72247, abs=1e-5)
    assert found["macro_f1"].low == pytest.approx(0.72247, abs=1e-5)
    assert found["accuracy"].high == found["macro_f1"].high == 1.0


def test_a_rare_class_makes_a_perfect_macro_f1_less_sure_than_the_accuracy():
    labels = array(*[0] * 8, *[1] * 2)

    found = score_intervals(labels, labels, n_classes=2, seed=1)

    # 2^2 / (1/8 + 1/2) = 6.4 effective rows; 6.4 / (6.4 + 3.8415)
    assert found["macro_f1"].low == pytest.approx(0.62491, abs=1e-5)


def test_ten_rows_that_are_all_wrong_do_not_prove_uselessness():
    labels = array(0, 1, 0, 1, 0, 1, 0, 1, 0, 1)

    found = score_intervals(labels, 1 - labels, n_classes=2, seed=1)

    assert found["macro_f1"].low == 0.0
    assert found["macro_f1"].high == pytest.approx(0.27753, abs=1e-5)


def test_macro_f1_is_that_of_scikit_learn_when_a_class_is_only_predicted():
    labels, predicted = array(0, 0, 1, 1), array(0, 2, 1, 1)
    cells = group(labels, predicted, n_classes=5)

    # F1 of classes 0, 1, 2: 2/3, 1, 0; the classes 3 and 4 do not occur
    assert cells.macro_f1(cells.counts[np.newaxis], 0) == pytest.approx([5 / 9])


def test_macro_f1_of_many_classes_is_that_of_scikit_learn():
    labels, predicted = noisy(300, n_classes=40, right=0.6, seed=3)
    cells = group(labels, predicted, n_classes=40)

    expected = f1_score(labels, predicted, average="macro", zero_division=0)
    assert cells.macro_f1(cells.counts[np.newaxis], 0) == pytest.approx([expected])


def test_weighted_f1_and_mcc_are_those_of_scikit_learn():
    labels, predicted = noisy(300, n_classes=7, right=0.6, seed=3)
    cells = group(labels, predicted, n_classes=7)

    scores = cells.scores(cells.counts[np.newaxis], 0)

    weighted = f1_score(labels, predicted, average="weighted", zero_division=0)
    assert scores["weighted_f1"] == pytest.approx([weighted])
    assert scores["mcc"] == pytest.approx([matthews_corrcoef(labels, predicted)])


def test_mcc_of_a_single_predicted_class_is_0():
    cells = group(array(0, 1, 1), array(1, 1, 1), n_classes=2)

    assert cells.scores(cells.counts[np.newaxis], 0)["mcc"] == pytest.approx([0.0])


def test_mcc_worse_than_guessing_has_an_interval_below_0():
    labels, right = noisy(400, n_classes=2, right=0.9, seed=5)

    found = score_intervals(labels, 1 - right, n_classes=2, seed=1)["mcc"]

    assert -1 <= found.low < matthews_corrcoef(labels, 1 - right) < found.high < 0


def test_log_loss_has_the_interval_of_a_mean_whose_logarithm_is_normal():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75], [0.2, 0.8], [0.9, 0.1]], np.float32)
    labels = array(0, 1, 0, 0)

    found = score_intervals(labels, array(0, 1, 1, 0), n_classes=2, seed=1,
                            probabilities=probabilities)["log_loss"]  # fmt: skip

    # losses 0.69315, 0.28768, 1.60944, 0.10536: mean 0.67391, deviation 0.67032, its error
    # 0.33516; exp(1.95996 * 0.33516 / 0.67391) = 2.6506
    assert (found.low, found.high) == pytest.approx((0.67391 / 2.6506, 0.67391 * 2.6506), rel=1e-4)


def test_losses_that_show_no_spread_have_no_interval():
    certain = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)

    found = score_intervals(array(0, 1), array(0, 1), n_classes=2, seed=1, probabilities=certain)

    assert "log_loss" not in found


def test_the_interval_holds_the_score_and_stays_between_0_and_1():
    labels, predicted = noisy(60, n_classes=30, right=0.9, seed=5)

    found = score_intervals(labels, predicted, n_classes=30, seed=1)["macro_f1"]

    value = f1_score(labels, predicted, average="macro", zero_division=0)
    assert 0 <= found.low < value < found.high <= 1


def test_four_times_the_rows_halve_the_interval():
    few = score_intervals(*noisy(500, n_classes=5, right=0.7, seed=1), n_classes=5, seed=1)
    many = score_intervals(*noisy(2000, n_classes=5, right=0.7, seed=2), n_classes=5, seed=1)

    ratio = (many["macro_f1"].high - many["macro_f1"].low) / (
        few["macro_f1"].high - few["macro_f1"].low
    )
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_gives_the_same_interval_and_another_nearly_so():
    labels, predicted = noisy(400, n_classes=6, right=0.7, seed=1)
    first = score_intervals(labels, predicted, n_classes=6, seed=1)

    again = score_intervals(labels, predicted, n_classes=6, seed=1)
    other = score_intervals(labels, predicted, n_classes=6, seed=2)["macro_f1"]

    assert again == first
    assert other != first["macro_f1"]
    assert other.low == pytest.approx(first["macro_f1"].low, abs=0.01)


def test_the_order_of_the_rows_does_not_matter():
    labels, predicted = noisy(400, n_classes=6, right=0.7, seed=1)
    order = np.random.default_rng(1).permutation(400)

    shuffled = score_intervals(labels[order], predicted[order], n_classes=6, seed=1)

    assert shuffled == score_intervals(labels, predicted, n_classes=6, seed=1)


@pytest.mark.parametrize("predicted", [(0,), (1,)])
def test_a_single_row_has_an_interval(predicted):
    found = score_intervals(array(0), array(*predicted), n_classes=2, seed=1)

    assert found["accuracy"].high - found["accuracy"].low > 0.7
    assert found["macro_f1"].high - found["macro_f1"].low > 0.7


def test_an_interval_is_json_ready():
    found = score_intervals(array(0, 1), array(0, 0), n_classes=2, seed=1)["macro_f1"]

    assert found.as_json() == {"low": found.low, "high": found.high, "level": 0.95}
    assert type(found.low) is type(found.high) is float


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        score_intervals(array(), array(), n_classes=2, seed=1)


def test_predictions_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) and predictions \(1,\)"):
        score_intervals(array(0, 1), array(0), n_classes=2, seed=1)


def test_a_class_number_out_of_range_is_refused_by_its_value():
    with pytest.raises(ValueError, match=r"\[0, 2\); got 0 to 2"):
        score_intervals(array(0, 1), array(0, 2), n_classes=2, seed=1)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        score_intervals(array(0, 1), array(0, 1), n_classes=2, seed=1, level=level)


def test_a_single_resample_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        score_intervals(array(0, 1), array(0, 1), n_classes=2, seed=1, n_resamples=1)
