import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.evaluation.calibration import (
    calibration_report,
    ece_if_calibrated,
    expected_calibration_error,
    reliability,
)
from tuner.evaluation.temperature import apply_temperature, fit_temperature


def two_classes(*groups):
    """Rows of (confidence in class 0, rows, rows whose label is class 0)."""
    probabilities = [[share, 1 - share] for share, n, _ in groups for _ in range(n)]
    labels = [int(row >= right) for _, n, right in groups for row in range(n)]
    return np.array(labels, np.int32), np.array(probabilities)


# 10 rows at 0.6, 5 of them right, and 10 rows at 0.9, 9 of them right.
HALF_HONEST = two_classes((0.6, 10, 5), (0.9, 10, 9))


@st.composite
def predictions(draw):
    n, n_classes = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    sharpness = draw(st.sampled_from([0.1, 1.0, 5.0, 100.0]))
    logits = generator.normal(0, sharpness, (n, n_classes))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    labels = generator.integers(0, n_classes, n).astype(np.int32)
    return labels, powers / powers.sum(axis=1, keepdims=True)


def log_loss(labels, probabilities):
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(chosen, 1e-300)).mean()


def test_calibration_error_weighs_each_bin_by_its_rows():
    # (10 * |0.5 - 0.6| + 10 * |0.9 - 0.9|) / 20
    assert expected_calibration_error(*HALF_HONEST, n_bins=2) == pytest.approx(0.05)


def test_bins_have_ten_rows_at_least_so_that_few_rows_are_not_all_noise():
    labels, probabilities = two_classes((0.6, 5, 5), (0.8, 4, 2))

    # One bin: 7 of 9 right at a mean confidence of (5 * 0.6 + 4 * 0.8) / 9 = 6.2 / 9.
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.8 / 9)


def test_reliability_tells_each_bin_and_equal_confidences_share_one():
    low, high = reliability(*HALF_HONEST, n_bins=2)

    assert low == {
        "low": 0.6, "high": 0.6, "n": 10,
        "confidence": pytest.approx(0.6), "accuracy": pytest.approx(0.5),
    }  # fmt: skip
    assert (high["low"], high["high"], high["n"], high["accuracy"]) == (0.9, 0.9, 10, 0.9)


@given(predictions(), st.randoms())
def test_calibration_error_ignores_row_order_and_is_at_least_the_overall_gap(sample, random):
    labels, probabilities = sample
    order = list(range(len(labels)))
    random.shuffle(order)

    found = expected_calibration_error(labels, probabilities)

    gap = abs(np.mean(probabilities.argmax(1) == labels) - probabilities.max(1).mean())
    assert gap - 1e-6 <= found <= 1
    assert expected_calibration_error(labels[order], probabilities[order]) == pytest.approx(found)


def test_error_by_chance_shrinks_with_more_rows_and_is_drawn_from_the_seed():
    few, many = (np.tile([[0.8, 0.2]], (n, 1)) for n in (100, 10_000))

    mean, high = ece_if_calibrated(few, seed=1)

    # One bin: E|mean of n draws - 0.8| is about sqrt(2 / pi) * 0.4 / sqrt(n) = 0.032.
    assert 0.02 < mean < 0.045 and mean < high < 0.12
    assert ece_if_calibrated(many, seed=1)[0] == pytest.approx(mean / 10, rel=0.4)
    assert ece_if_calibrated(few, seed=1) == (mean, high)


def test_temperature_brings_confidence_down_to_the_accuracy():
    # Odds of 9 claimed, odds of 3 true: log 9 / log 3 = 2.
    labels, probabilities = two_classes((0.9, 100, 75))

    assert fit_temperature(labels, probabilities) == pytest.approx(2.0, abs=1e-5)


def test_temperature_below_one_sharpens_a_timid_model():
    # Odds of 3 claimed, odds of 9 true.
    labels, probabilities = two_classes((0.75, 100, 90))

    assert fit_temperature(labels, probabilities) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        ([0, 1], [[0.9, 0.1], [0.2, 0.8]], 0.1),  # all right: the sharper the better
        ([1, 0], [[0.9, 0.1], [0.2, 0.8]], 10.0),  # all wrong: the flatter the better
        ([0, 0], [[1.0], [1.0]], 1.0),  # one class
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]], 1.0),  # hard and right
        ([1, 0], [[1.0, 0.0], [0.0, 1.0]], 1.0),  # hard and wrong
        ([0, 1], [[1 / 3] * 3, [1 / 3] * 3], 1.0),  # uniform
    ],
)
def test_temperature_stays_in_its_bounds_where_no_value_is_best(labels, probabilities, expected):
    assert fit_temperature(np.array(labels), np.array(probabilities, np.float32)) == expected


def test_rows_of_a_class_the_model_does_not_know_do_not_move_the_temperature():
    labels, probabilities = two_classes((0.9, 100, 75))
    padded = np.concatenate([probabilities, np.zeros((100, 1))], axis=1)
    unknown = np.tile([[0.99, 0.01, 0.0]], (50, 1))

    found = fit_temperature(
        np.concatenate([labels, np.full(50, 2)]), np.concatenate([padded, unknown])
    )

    assert found == pytest.approx(2.0, abs=1e-5)


@given(predictions())
def test_fitted_temperature_is_never_worse_than_none_on_what_it_was_fitted_on(sample):
    labels, probabilities = sample

    scaled = apply_temperature(probabilities, fit_temperature(labels, probabilities))

    assert log_loss(labels, scaled) <= log_loss(labels, probabilities) + 1e-5


@given(predictions(), st.floats(0.1, 10))
def test_temperature_changes_no_prediction_and_keeps_rows_adding_up_to_one(sample, temperature):
    _, probabilities = sample

    scaled = apply_temperature(probabilities, temperature)

    rows = np.arange(len(scaled))
    assert scaled.sum(axis=1) == pytest.approx(1)
    assert np.all(scaled[rows, probabilities.argmax(1)] == scaled.max(1))
    assert np.all(scaled[probabilities == 0] == 0)


def test_temperature_one_changes_nothing():
    _, probabilities = HALF_HONEST

    assert apply_temperature(probabilities, 1.0) == pytest.approx(probabilities)


def test_temperature_of_zero_is_refused_by_value():
    with pytest.raises(ValueError, match=r"above 0; got 0\.0"):
        apply_temperature(HALF_HONEST[1], 0.0)


def test_no_rows_and_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        fit_temperature(np.zeros(0, np.int32), np.zeros((0, 2)))
    with pytest.raises(ValueError, match="do not fit"):
        expected_calibration_error(np.zeros(3, np.int32), np.zeros((2, 2)))


def test_report_fits_on_validation_and_measures_the_other_parts():
    report = calibration_report(
        two_classes((0.9, 100, 75)), {"test": two_classes((0.9, 100, 75))}, seed=0
    )

    before, after = report["parts"]["test"]["before"], report["parts"]["test"]["after"]
    assert report["temperature"] == pytest.approx(2.0, abs=1e-5)
    assert (report["at_bound"], report["n_validation"]) == (False, 100)
    assert before["ece"] == pytest.approx(0.15) and after["ece"] == pytest.approx(0, abs=1e-6)
    assert before["ece"] > before["ece_if_calibrated_95"] > before["ece_if_calibrated"] > 0
    assert after["log_loss"] == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert before["reliability"][0]["n"] == 100


def test_report_says_when_the_temperature_ended_at_its_bound():
    sample = two_classes((0.9, 20, 20))

    assert calibration_report(sample, {"selection": sample}, seed=0)["at_bound"]
