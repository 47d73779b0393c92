"""What a trial takes besides its features, where trials differ in their features."""

import numpy as np
import pytest

from tests.conftest import GOOD
from tests.unit.pipeline.test_stages import parts_of
from tuner.config import load_settings
from tuner.persist import Cache
from tuner.pipeline import Pipeline

ROWS = [
    (f"{GOOD[n % 8]}{GOOD[(3 * n + 1) % 8]}{n}", "正面" if n % 2 else "负面") for n in range(100)
]


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(parts_of(ROWS), Cache(tmp_path / "cache"))


@pytest.fixture
def vectors(tmp_path):
    """Vectors of all words and all characters of the texts."""
    words = sorted({*GOOD, *"".join(GOOD)})
    path = tmp_path / "v.npz"
    np.savez(path, words=np.array(words), vectors=np.ones((len(words), 4), np.float32))
    return str(path)


def with_vectors(path, segmenter):
    return load_settings(overrides=[
        ("model.backbone", "average"), ("model.vectors", path), ("model.embedding_width", 4),
        ("preprocess.segmenter", segmenter),
    ])  # fmt: skip


@pytest.mark.parametrize("order", [("jieba", "characters"), ("characters", "jieba")])
def test_vectors_are_found_for_the_words_of_every_segmenter_whichever_came_first(
    pipeline, vectors, order
):
    coverage = {
        segmenter: pipeline.vector_coverage(with_vectors(vectors, segmenter))
        for segmenter in order
    }

    n_characters = len(set("".join(GOOD)))
    assert coverage["characters"].n_found == n_characters
    assert coverage["jieba"].n_found >= len(GOOD) // 2


def test_what_features_need_is_made_once_though_trials_take_turns_with_others(
    pipeline, vectors, monkeypatch
):
    read = []
    monkeypatch.setattr(
        "tuner.pipeline.aids.WordVectors.start",
        lambda self, vocabulary, train: read.append(len(vocabulary)) or ("start", _Coverage()),
    )

    for segmenter in ("jieba", "characters") * 3:
        pipeline.vector_coverage(with_vectors(vectors, segmenter))

    assert len(read) == 2


class _Coverage:
    n_found = n_words = 1
    token_share = 1.0
