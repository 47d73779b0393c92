"""Which pieces of words are features, and what they are good for."""

import random

import numpy as np
import pytest

from tuner.config import load_settings
from tuner.persist import Cache, read_model, write_model
from tuner.pipeline import Model, Pipeline
from tuner.pipeline.token_kinds import resolve_kinds
from tuner.records import Document, SearchParts, TrialSeeds

STEMS = {"sport": ["kick", "score", "race", "sprint"], "money": ["bank", "loan", "trade", "fund"]}
ENDINGS = {"train": ["er", "ing", "s"], "new": ["ed", "able"]}
FILLING = ["the", "of", "today", "many", "with", "more"]


def documents(kind, n, seed):
    generator = random.Random(seed)
    found = []
    for number in range(n):
        label = generator.choice(list(STEMS))
        word = generator.choice(STEMS[label]) + generator.choice(ENDINGS[kind])
        words = [*generator.sample(FILLING, 3), word]
        generator.shuffle(words)
        found.append(Document(" ".join(words), label, "rows", number))
    return tuple(found)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    parts = SearchParts(
        documents("train", 200, 0), documents("train", 60, 1), documents("new", 100, 2),
        tuple(sorted(STEMS)), "f" * 64, 0,
    )  # fmt: skip
    return Pipeline(parts, Cache(tmp_path_factory.mktemp("cache")))


def run(pipeline, *overrides):
    settings = load_settings(overrides=[("model.backbone", "linear"), *overrides])
    outcome = pipeline.run_trial(
        settings, seeds=TrialSeeds(1, 2, 3), report=lambda **_: None, stop_requested=lambda: None
    )
    return settings, outcome


def test_word_with_an_ending_that_train_does_not_have_is_known_by_its_stem(pipeline):
    _, with_pieces = run(pipeline)
    _, without = run(pipeline, ("features.subwords", "none"))

    assert with_pieces.selection.value("accuracy") > 0.95
    assert without.selection.value("accuracy") < 0.75


def test_stored_model_reads_new_texts_as_the_trial_did(pipeline, tmp_path):
    settings, outcome = run(pipeline)
    write_model(tmp_path / "model", pipeline.stored_model(settings, dict(outcome.weights), {}))

    model = Model(read_model(tmp_path / "model"))

    assert model.evaluate(pipeline.parts.selection) == outcome.selection


@pytest.mark.parametrize("backbone", ["linear", "average"])
def test_vocabularies_of_a_searched_range_share_programs_and_are_stored_as_they_are(
    pipeline, tmp_path, backbone
):
    searched = ("space.features.min_count", {"low": 1, "high": 2})
    asked = [("model.backbone", backbone), searched, ("training.epochs", 1)]
    run(pipeline, *asked, ("features.vocabulary_size", 40))
    settings, outcome = run(pipeline, *asked, ("features.vocabulary_size", 45))

    assert outcome.n_traces == 0
    stored = pipeline.stored_model(settings, dict(outcome.weights), {})
    (rows,) = [len(value) for name, value in stored.weights.items() if "embeddings" in name]
    assert rows == len(stored.vocabulary) == 45
    write_model(tmp_path / "model", stored)
    model = Model(read_model(tmp_path / "model"))
    assert model.evaluate(pipeline.parts.selection) == outcome.selection


def test_changed_texts_keep_the_pieces_of_their_words(pipeline):
    _, outcome = run(pipeline, ("augmentation.deletion", 0.2), ("augmentation.share", 1.0))

    assert outcome.selection.value("accuracy") > 0.9


def test_fold_with_a_smaller_vocabulary_reads_pieces_too(pipeline):
    run(pipeline)
    parts = pipeline.parts
    rest = SearchParts(
        parts.train[:20], parts.validation, parts.selection, parts.classes, "e" * 64, 0
    )

    _, outcome = run(pipeline.on(rest))

    assert outcome.selection.value("accuracy") > 0.7


def kinds(backbone="linear", subwords="auto", segmenter="words", n_texts=5_000, mean_length=80):
    settings = load_settings(
        overrides=[("model.backbone", backbone), ("features.subwords", subwords)]
    )
    preprocess = settings.preprocess.model_copy(update={"segmenter": segmenter})
    return resolve_kinds(settings, preprocess, n_texts=n_texts, mean_length=mean_length).subwords


def test_auto_takes_pieces_where_words_are_short_of_texts():
    assert kinds() == (3, 4)
    assert kinds(backbone="average") is None
    assert kinds(segmenter="jieba") is None
    assert kinds(n_texts=50_000) is None
    assert kinds(mean_length=900) is None


def test_named_lengths_are_taken_but_by_a_backbone_that_reads_order():
    assert kinds(subwords="2-5", backbone="average", n_texts=10**6) == (2, 5)
    assert kinds(subwords="none") is None
    assert kinds(subwords="2-5", backbone="textcnn") is None


def test_pieces_together_weigh_half_as_much_as_words(pipeline):
    settings, _ = run(pipeline)
    data = pipeline.prepare(settings).data

    squares = np.zeros(len(data.is_subword))
    for bucket in data.train:
        np.add.at(squares, bucket.token_ids.ravel(), 1.0)
    squares *= data.token_weights**2
    ratio = squares[data.is_subword].sum() / squares[~data.is_subword].sum()
    assert ratio == pytest.approx(0.5, rel=1e-4)
