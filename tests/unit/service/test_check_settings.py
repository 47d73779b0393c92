"""What is refused before a study is made."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tiny_checkpoints import write_bert
from tuner.config import apply_params, load_settings
from tuner.errors import ConfigError
from tuner.models import open_checkpoint
from tuner.service.check_settings import check_settings


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.npz"
    np.savez(path, words=np.array(["好"]), vectors=np.ones((1, 8)))
    return str(path)


def refusal(*overrides):
    with pytest.raises(ConfigError) as caught:
        check_settings(load_settings(overrides=overrides))
    return str(caught.value)


def test_vectors_of_the_embedding_s_width_are_accepted(vectors):
    check_settings(
        load_settings(overrides=[("model.vectors", vectors), ("model.embedding_width", 8)])
    )


def test_vectors_of_another_width_are_refused_with_the_width_to_set(vectors):
    said = refusal(("model.vectors", vectors))

    assert said.startswith("model.embedding_width must be 8, ")
    assert said.endswith("got 64.")


def test_every_searched_file_of_vectors_is_looked_at(vectors):
    choices = {"choices": ["none", vectors]}

    assert "must be 8" in refusal(("space.model.vectors", choices))


def test_width_cannot_be_searched_beside_vectors(vectors):
    said = refusal(
        ("model.vectors", vectors), ("space.model.embedding_width", {"choices": [8, 16]})
    )

    assert said.startswith("space.model.embedding_width: cannot be searched beside model.vectors")


def test_vectors_or_none_can_be_searched_beside_freezing_them(vectors):
    settings = load_settings(
        overrides=[
            ("model.embedding_width", 8),
            ("space.model.vectors", {"choices": ["none", vectors]}),
            ("space.model.freeze_vectors", {"choices": [True, False]}),
        ]
    )

    check_settings(settings)
    drawn = {"model.vectors": "none", "model.freeze_vectors": True}
    assert apply_params(settings, drawn).model.vectors == "none"  # a trial of it can run


@pytest.mark.parametrize(
    "entry", [("features.max_tokens", 6), ("space.features.max_tokens", {"choices": [6, 64]})]
)
def test_texts_of_which_nothing_would_be_left_are_refused_with_the_least_length(entry):
    said = refusal(("model.backbone", "e5-small"), entry)

    assert said.startswith("features.max_tokens must be at least 7 for e5-small, ")
    assert said.endswith("got 6.")


def test_the_least_length_of_a_checkpoint_leaves_one_piece_of_a_text(tmp_path):
    folder = write_bert(tmp_path / "bert")
    chosen = [("model.backbone", "pretrained"), ("model.checkpoint", str(folder))]

    said = refusal(*chosen, ("features.max_tokens", 2))
    settings = load_settings(overrides=[*chosen, ("features.max_tokens", 3)])
    check_settings(settings)

    assert f"must be at least 3 for {folder}" in said
    pieces = open_checkpoint(settings.model).encode(["好"], max_tokens=3)
    assert pieces.lengths.tolist() == [3]


def test_missing_file_of_vectors_is_refused(tmp_path):
    said = refusal(("model.vectors", str(tmp_path / "no.vec")))

    assert said.startswith("model.vectors: ") and "no such file" in said


def test_freezing_a_random_embedding_is_refused():
    said = "model.freeze_vectors needs model.vectors"

    assert refusal(("model.freeze_vectors", True)).startswith(said)
    choices = {"choices": [False, True]}
    assert refusal(("space.model.freeze_vectors", choices)).startswith(said)


def test_sampler_that_cannot_serve_the_space_is_refused():
    assert "the sampler grid needs" in refusal(("sampler.name", "grid"))
