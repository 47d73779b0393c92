"""What a space may not hold, found before anything has run."""

from __future__ import annotations

import pytest

from tuner.config import load_settings
from tuner.errors import ConfigError
from tuner.models import backbone_class
from tuner.search.space import all_preprocess_choices, check_space, distributions


def refusal(*overrides):
    with pytest.raises(ConfigError) as caught:
        check_space(load_settings(overrides=overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        ("model.frozen_depth", 7),
        ("space.model.frozen_depth", {"choices": [0, 7]}),
        ("space.model.frozen_depth", {"low": 0, "high": 7}),
    ],
)
def test_head_cannot_be_frozen(override):
    said = refusal(override)

    assert said.startswith(override[0])
    assert "at most 2" in said
    assert "head is never frozen" in said
    assert "got 7" in said


def test_all_groups_below_the_head_can_be_frozen():
    check_space(load_settings(overrides=[("model.frozen_depth", 2)]))
    check_space(load_settings(overrides=[("space.model.frozen_depth", {"choices": [2, 0]})]))


def test_frozen_depth_fits_the_backbone_with_the_fewest_groups(monkeypatch):
    monkeypatch.setattr(backbone_class("textcnn"), "GROUPS", ("embedding",))
    searched = ("space.model.backbone", {"choices": ["average", "textcnn"]})

    found = distributions(load_settings(overrides=[searched]))

    assert found["model.frozen_depth"].high == 1
    assert "at most 1, the layer groups of textcnn" in refusal(searched, ("model.frozen_depth", 2))


def test_every_searched_backbone_must_exist():
    said = refusal(("space.model.backbone", {"choices": ["average", "textcn"]}))

    assert said.startswith("space.model.backbone: choices[1]")
    assert "Did you mean 'textcnn'" in said


def test_preprocessing_of_every_choice_is_given_once():
    settings = load_settings(
        overrides=[
            ("preprocess.segmenter", "jieba"),
            ("space.preprocess.stop_words", {"choices": ["zh", "klingon"]}),
            ("space.preprocess.dictionary", {"choices": ["words.txt"]}),
        ]
    )

    found = list(all_preprocess_choices(settings))

    assert [(each.stop_words, each.dictionary) for each in found] == [
        ("none", None), ("zh", None), ("klingon", None), ("none", "words.txt"),
    ]  # fmt: skip
    assert {each.segmenter for each in found} == {"jieba"}
