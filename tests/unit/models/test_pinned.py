"""A study holds on to its checkpoints by what is in them."""

from __future__ import annotations

import pytest

from tests.tiny_checkpoints import write_bert
from tuner.config import load_settings
from tuner.errors import ConfigError
from tuner.models import checkpoint_digests, digest_differences, open_checkpoint, open_pinned


def settings(*overrides):
    return load_settings(overrides=overrides)


def test_every_checkpoint_that_can_be_drawn_has_its_digest(tmp_path):
    folders = [str(write_bert(tmp_path / name, seed=seed)) for seed, name in enumerate("ab")]

    found = checkpoint_digests(
        settings(
            ("space.model.backbone", {"choices": ["average", "pretrained"]}),
            ("model.checkpoint", folders[0]),
            ("space.model.checkpoint", {"choices": folders}),
        )
    )

    assert list(found) == [f"model.checkpoint={folder}" for folder in folders]
    assert len(set(found.values())) == 2


def test_without_a_pretrained_backbone_there_is_none():
    assert checkpoint_digests(settings()) == {}


def test_the_first_twelve_digits_tell_the_two_apart():
    name = "model.backbone=e5-small"

    assert digest_differences({name: "a" * 64}, {name: "a" * 64}) == []
    assert digest_differences({}, {name: "a" * 64}) == []
    assert digest_differences({name: "a" * 64}, {name: "b" * 64}) == [
        f"the digest of {name} is aaaaaaaaaaaa… there, bbbbbbbbbbbb… here"
    ]


def test_a_checkpoint_that_is_replaced_while_its_study_runs_trains_no_trial(tmp_path):
    wanted = settings(
        ("model.backbone", "pretrained"), ("model.checkpoint", str(write_bert(tmp_path / "bert")))
    )
    name, digest = next(iter(checkpoint_digests(wanted).items()))

    assert open_pinned(wanted.model, {name: digest}) is open_checkpoint(wanted.model)
    with pytest.raises(ConfigError, match="replaced while its study ran"):
        open_pinned(wanted.model, {name: "0" * 64})
