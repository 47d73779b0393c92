import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.evaluation.bands import quantile_bands
from tuner.evaluation.confusion import by_class, confusion
from tuner.evaluation.slices import (
    by_confidence,
    by_length,
    coverage,
    slice_report,
    worst_errors,
)
from tuner.records import Document

CLASSES = ("bad", "good", "unsure")
# given        bad bad bad good good unsure
LABELS = np.array([0, 0, 0, 1, 1, 2], np.int32)
PREDICTED = np.array([0, 1, 1, 1, 0, 1], np.int32)


def documents(texts, labels=None):
    labels = labels or ["bad"] * len(texts)
    return [
        Document(text, label, "reviews.csv", line)
        for line, (text, label) in enumerate(zip(texts, labels, strict=True), start=2)
    ]


def probabilities_of(predicted, confidences, n_classes=3):
    """Give rows with that confidence in the predicted class, the rest spread over the others."""
    rows = []
    for place, confidence in zip(predicted, confidences, strict=True):
        row = [(1 - confidence) / (n_classes - 1)] * n_classes
        row[place] = confidence
        rows.append(row)
    return np.array(rows, np.float32)


def test_class_has_its_scores_and_the_class_it_is_mistaken_for_most():
    bad, good, unsure = by_class(LABELS, PREDICTED, CLASSES)

    # bad: 1 of 2 predicted, 1 of 3 given; good: 1 of 4 predicted, 1 of 2 given.
    assert bad == {
        "class": "bad", "precision": 1 / 2, "recall": 1 / 3, "f1": 2 / 5, "support": 3,
        "n_predicted": 2, "mistaken_for": {"class": "good", "n": 2},
    }  # fmt: skip
    assert (good["precision"], good["recall"], good["f1"]) == (1 / 4, 1 / 2, 2 / 6)
    assert (unsure["recall"], unsure["f1"]) == (0.0, 0.0)
    assert unsure["mistaken_for"] == {"class": "good", "n": 1}


def test_scores_that_are_undefined_are_none_and_not_zero():
    _, _, unsure, absent = by_class(LABELS, PREDICTED, (*CLASSES, "absent"))

    assert unsure["precision"] is None
    assert [absent[name] for name in ("precision", "recall", "f1", "mistaken_for")] == [None] * 4


def test_short_and_long_texts_are_scored_apart():
    texts = ["a" * n for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]
    labels = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    predicted = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])

    bands = by_length(labels, predicted, texts)

    assert [(band["low"], band["high"], band["n"]) for band in bands] == [
        (1, 2, 2), (3, 4, 2), (5, 6, 2), (7, 8, 2), (9, 10, 2),
    ]  # fmt: skip
    assert [band["accuracy"] for band in bands] == [1, 1, 1, 1, 0.5]
    # class 0: 2 * 1 / (1 given + 2 predicted); class 1: 0.
    assert bands[-1]["macro_f1"] == pytest.approx(1 / 3)


def test_texts_of_one_length_are_one_band():
    (band,) = by_length(LABELS, PREDICTED, ["四个字符"] * 6)

    assert (band["low"], band["high"], band["n"]) == (4, 4, 6)


def test_accuracy_of_a_slice_has_an_interval_that_says_how_few_rows_it_has():
    (band,) = by_length(np.zeros(10, int), np.array([0] * 8 + [1] * 2), ["x"] * 10)

    # Wilson, 8 of 10 at z = 1.96: (0.8 + 0.19207 ± 1.96 * sqrt(0.016 + 0.009604)) / 1.38415
    assert band["accuracy_95"] == pytest.approx([0.4902, 0.9433], abs=1e-4)


def test_confidence_bands_leave_out_the_empty_ones():
    right = np.array([True, False, True, True])

    bands = by_confidence(right, np.array([0.4, 0.55, 0.99, 1.0]))

    assert [(b["low"], b["high"], b["n"], b["accuracy"]) for b in bands] == [
        (0.0, 0.5, 1, 1.0), (0.5, 0.6, 1, 0.0), (0.99, 1.0, 2, 1.0),
    ]  # fmt: skip


def test_coverage_falls_and_an_empty_rest_has_no_accuracy():
    found = coverage(np.array([False, True, True, True]), np.array([0.3, 0.6, 0.9, 0.9]))

    assert [(row["threshold"], row["n"], row["coverage"], row["accuracy"]) for row in found] == [
        (0.5, 3, 0.75, 1.0), (0.6, 3, 0.75, 1.0), (0.7, 2, 0.5, 1.0), (0.8, 2, 0.5, 1.0),
        (0.9, 2, 0.5, 1.0), (0.95, 0, 0.0, None), (0.99, 0, 0.0, None),
    ]  # fmt: skip


def test_confidence_at_a_threshold_counts_although_float32_lies_just_below_it():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4]], np.float32)

    report = slice_report(np.array([0, 0]), probabilities, documents(["a", "b"]), ("x", "y"))

    assert [row["n"] for row in report["coverage"]] == [2, 2, 1, 1, 1, 0, 0]


def test_confusion_counts_given_by_row_and_names_the_commonest_errors():
    found = confusion(LABELS, PREDICTED, CLASSES)

    assert found["classes"] == ["bad", "good", "unsure"]
    assert found["matrix"] == [[1, 2, 0], [1, 1, 0], [0, 1, 0]]
    assert found["pairs"][0] == {"label": "bad", "predicted": "good", "n": 2, "share": 2 / 3}
    assert len(found["pairs"]) == 3


def test_matrix_of_more_than_a_hundred_classes_is_left_to_its_pairs():
    labels = np.arange(101)
    predicted = np.roll(labels, 1)

    found = confusion(labels, predicted, [f"c{n}" for n in range(101)])

    assert found["matrix"] is None
    assert len(found["pairs"]) == 50
    assert found["pairs"][0] == {"label": "c0", "predicted": "c100", "n": 1, "share": 1.0}


def test_worst_errors_come_most_confident_first_with_text_and_place():
    texts = ["right", "wrong but unsure", "<b>错</b>" + "长" * 300, "wrong"]
    labels = np.array([0, 0, 0, 1])
    probabilities = probabilities_of([0, 1, 1, 2], [0.9, 0.5, 0.99, 0.7])

    first, second = worst_errors(labels, probabilities, documents(texts), CLASSES, n_rows=2)

    assert first == {
        "text": "<b>错</b>" + "长" * 192, "n_characters": 308, "label": "bad",
        "predicted": "good", "confidence": 0.99, "label_probability": 0.005,
        "source": "reviews.csv", "line": 4,
    }  # fmt: skip
    assert (second["text"], second["label"], second["predicted"]) == ("wrong", "good", "unsure")


def test_report_is_plain_json_without_nan_even_when_every_row_is_wrong():
    labels = np.zeros(3, np.int32)
    report = slice_report(
        labels, probabilities_of([1, 1, 1], [0.8] * 3), documents(["a", "bb", "ccc"]), CLASSES
    )

    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["n"], report["accuracy"], len(report["worst_errors"])) == (3, 0.0, 3)


def test_no_rows_and_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        slice_report(np.zeros(0, np.int32), np.zeros((0, 3)), [], CLASSES)
    with pytest.raises(ValueError, match="do not fit"):
        slice_report(LABELS, np.zeros((6, 2)), documents(["x"] * 6), CLASSES)


@given(st.lists(st.integers(0, 20), min_size=1), st.integers(1, 6))
def test_bands_are_never_empty_never_too_many_and_rise_with_the_value(values, n_bands):
    bands = quantile_bands(np.array(values), n_bands)

    by_value = dict(zip(values, bands.tolist(), strict=True))
    assert set(bands.tolist()) == set(range(max(bands) + 1)) and max(bands) < n_bands
    assert [by_value[value] for value in sorted(values)] == sorted(bands.tolist())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_every_slicing_counts_every_row_once_and_agrees_with_scikit_learn(rows):
    from sklearn.metrics import f1_score

    labels, predicted = (np.array(column) for column in zip(*rows, strict=True))
    texts = ["x" * (1 + place % 7) for place in range(len(rows))]
    report = slice_report(
        labels, probabilities_of(predicted, [0.7] * len(rows), 4), documents(texts), list("abcd")
    )

    n = len(rows)
    assert sum(row["support"] for row in report["by_class"]) == n
    assert sum(band["n"] for band in report["by_length"]) == n
    assert sum(band["n"] for band in report["by_confidence"]) == n
    assert np.sum(report["confusion"]["matrix"]) == n
    defined = [row["f1"] for row in report["by_class"] if row["f1"] is not None]
    assert np.mean(defined) == pytest.approx(f1_score(labels, predicted, average="macro"))
    (band,) = by_length(labels, predicted, ["x"] * n)
    assert band["macro_f1"] == pytest.approx(np.mean(defined))
