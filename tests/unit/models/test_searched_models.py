"""Settings that mean nothing for the backbones of a study are told of, defaults are not."""

from __future__ import annotations

import pytest

from tuner.config import load_settings
from tuner.models import ignored_remark, widths_remark
from tuner.search import distributions


def remark(backbone, *overrides):
    return ignored_remark(load_settings(overrides=[("model.backbone", backbone), *overrides]))


def test_what_was_set_in_vain_for_an_encoder_is_named_in_one_line():
    said = remark(
        "e5-small",
        ("augmentation.deletion", 0.3),
        ("preprocess.stop_words", "zh"),
        ("space.augmentation.swap", {"low": 0.0, "high": 0.3}),
    )

    assert said == (
        "preprocess.stop_words, augmentation.deletion, space.augmentation.swap: "
        "mean nothing for e5-small and are ignored"
    )


@pytest.mark.parametrize(
    ("backbone", "name", "value"),
    [
        ("e5-small", "preprocess.lower_case", False),
        ("e5-small", "preprocess.segmenter", "jieba"),
        ("e5-small", "model.kernel_sizes", [2, 3]),
        ("e5-small", "features.vocabulary_size", 1000),
        ("e5-small", "training.embedding_updates", "touched"),
        ("textcnn", "model.pooling", "cls"),
        ("textcnn", "model.head_width", 8),
        ("textcnn", "regularization.l2_sp", 0.1),
        ("textcnn", "training.gradual_unfreezing", True),
        ("textcnn", "training.precision", "bfloat16"),
        ("linear", "model.dropout", 0.5),
    ],
)
def test_a_setting_of_other_backbones_is_named(backbone, name, value):
    assert (
        remark(backbone, (name, value)) == f"{name}: means nothing for {backbone} and is ignored"
    )


@pytest.mark.parametrize("backbone", ["average", "linear", "textcnn", "bigru", "e5-small"])
def test_nothing_is_said_of_defaults(backbone):
    assert remark(backbone) is None
    assert remark(backbone, ("model.dropout", 0.3), ("preprocess.stop_words", "none")) is None


def test_what_one_of_the_searched_backbones_heeds_is_not_in_vain():
    searched = ("space.model.backbone", {"choices": ["average", "textcnn"]})

    assert ignored_remark(load_settings(overrides=[searched, ("model.kernel_sizes", [2])])) is None
    assert ignored_remark(load_settings(overrides=[searched, ("model.pooling", "max")])) == (
        "model.pooling: means nothing for average and textcnn and is ignored"
    )


def test_entries_that_are_named_as_ignored_are_not_asked():
    settings = load_settings(
        overrides=[
            ("model.backbone", "textcnn"),
            ("space.model.pooling", {"choices": ["mean", "cls"]}),
        ]
    )

    assert ignored_remark(settings) == (
        "space.model.pooling: means nothing for textcnn and is ignored"
    )
    assert "model.pooling" not in distributions(settings)


def test_range_of_widths_is_told_of_with_the_choices_that_compile_less():
    def remark(entry):
        return widths_remark(load_settings(overrides=[("space.model.embedding_width", entry)]))

    assert remark({"low": 16, "high": 100}) == (
        "space.model.embedding_width: each of its 85 widths is compiled for, seconds a trial; "
        "a few choices, whose networks stay in memory, are compiled for once each, such as "
        "{choices=[16, 32, 64, 100]}"
    )
    assert remark({"low": 32, "high": 64, "step": 32}) is None
    assert remark({"choices": [17, 19]}) is None
