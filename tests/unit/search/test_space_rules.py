"""What a space may not hold, found before anything has run."""

from __future__ import annotations

import optuna
import pytest

from tests.tiny_checkpoints import write_bert
from tuner.config import apply_params, load_settings, setting_value
from tuner.errors import ConfigError
from tuner.models import backbone_class
from tuner.search.space import (
    all_preprocess_choices,
    check_space,
    default_params,
    distributions,
    first_settings,
)


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


@pytest.fixture
def two_checkpoints(tmp_path):
    """A space of two BERTs, of two and of three blocks; model.checkpoint is not set."""
    folders = [write_bert(tmp_path / f"bert{n}", seed=n, n_blocks=n) for n in (2, 3)]
    return ("space.model.checkpoint", {"choices": [str(folder) for folder in folders]})


@pytest.mark.parametrize(
    "backbone",
    [
        ("model.backbone", "pretrained"),
        ("space.model.backbone", {"choices": ["average", "pretrained"]}),
    ],
)
def test_checkpoints_can_be_searched_without_setting_one(two_checkpoints, backbone):
    settings = load_settings(overrides=[two_checkpoints, backbone])

    check_space(settings)
    space = distributions(settings)

    assert space["model.checkpoint"].choices == tuple(two_checkpoints[1]["choices"])
    assert space["model.frozen_depth"].high == (3 if backbone[0] == "model.backbone" else 2)
    assert first_settings(settings).model.checkpoint == two_checkpoints[1]["choices"][0]


def test_every_searched_checkpoint_must_be_there(two_checkpoints, tmp_path):
    choices = [*two_checkpoints[1]["choices"], str(tmp_path / "nowhere/bert")]
    backbones = ("space.model.backbone", {"choices": ["average", "pretrained"]})

    said = refusal(("space.model.checkpoint", {"choices": choices}), backbones)

    assert said.startswith("space.model.checkpoint: choices[2]")
    assert "nowhere/bert" in said


def test_a_checkpoint_must_be_named_where_none_is_searched():
    assert refusal(("model.backbone", "pretrained")).startswith("model.checkpoint must name")
    said = refusal(("space.model.backbone", {"choices": ["average", "pretrained"]}))
    assert said.startswith("space.model.backbone: choices[1]")
    assert "model.checkpoint must name" in said


def test_trial_0_can_be_an_encoder_beside_a_backbone_that_hides_tokens(two_checkpoints):
    backbones = ("space.model.backbone", {"choices": ["pretrained", "linear"]})
    settings = load_settings(overrides=[two_checkpoints, backbones])

    params = default_params(settings, distributions(settings))

    assert params["model.backbone"] == "pretrained"
    assert params["model.token_dropout"] == 0.0


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


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("training.steps_per_epoch_min", 20, 200),
        ("training.batch_size", 16, 64),
        ("features.min_count", 1, 5),
        ("model.width", 16, 64),
        ("model.token_dropout", 0, 0.9),
        ("training.label_smoothing", 0, 0.2),
    ],
)
def test_what_a_range_draws_is_what_its_setting_takes(name, low, high):
    settings = load_settings(overrides=[(f"space.{name}", {"low": low, "high": high})])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    for _ in range(5):
        drawn = study.ask(distributions(settings)).params[name]
        assert setting_value(apply_params(settings, {name: drawn}), name) == drawn
