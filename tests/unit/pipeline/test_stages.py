from __future__ import annotations

import pytest

from tests.conftest import make_rows
from tuner.config import FeatureSettings, load_settings
from tuner.errors import Interrupted
from tuner.persist import Cache
from tuner.pipeline import Pipeline
from tuner.records import Document, SearchParts


def parts_of(rows, *, n_train=60):
    documents = tuple(Document(text, label, "t.csv", n) for n, (text, label) in enumerate(rows))
    rest = (len(rows) - n_train) // 2 + n_train
    return SearchParts(
        documents[:n_train], documents[n_train:rest], documents[rest:], ("正面", "负面"),
        "f" * 64, 9,
    )  # fmt: skip


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def pipeline(cache):
    return Pipeline(parts_of(make_rows(100)), cache)


def made(cache):
    return sorted(stage for (stage, which), n in cache.counts.items() for _ in range(n)
                  if which == "made")  # fmt: skip


def prepare(pipeline, cache, **changes):
    """Prepare with these settings, and give the stages that were made for it."""
    cache.counts.clear()
    overrides = [(name.replace("__", "."), value) for name, value in changes.items()]
    prepared = pipeline.prepare(load_settings(overrides=overrides))
    return made(cache), prepared


ALL = ["cleaning", "encoding", "segments", "vocabulary"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"features__max_tokens": 3}, ["encoding"]),
        ({"features__length_percentile": 50.0}, ["encoding"]),
        ({"features__vocabulary_size": 20}, ["encoding", "vocabulary"]),
        ({"features__ngrams": "1"}, ["encoding", "vocabulary"]),
        ({"preprocess__segmenter": "words"}, ["encoding", "segments", "vocabulary"]),
        ({"preprocess__lower_case": False}, ALL),
        ({"training__batch_size": 7}, []),
    ],
)
def test_changed_setting_makes_only_what_hangs_on_it(pipeline, cache, changes, expected):
    assert prepare(pipeline, cache)[0] == ALL
    again = Pipeline(pipeline.parts, cache)

    assert prepare(again, cache, **changes)[0] == expected


def test_changed_stop_words_do_not_segment_again(pipeline, cache, tmp_path):
    path = tmp_path / "stop.txt"
    path.write_text("酒店\n", encoding="utf-8")
    words = {"preprocess__segmenter": "jieba", "preprocess__stop_words": str(path)}
    assert prepare(pipeline, cache, **words)[0] == ALL
    path.write_text("房间\n", encoding="utf-8")

    stages, prepared = prepare(Pipeline(pipeline.parts, cache), cache, **words)

    assert stages == ["encoding", "vocabulary"]
    assert "房间" not in prepared.encoder.vocabulary
    assert "房间" in prepare(pipeline, cache, preprocess__segmenter="jieba")[1].encoder.vocabulary


def test_changed_dictionary_segments_again(cache, tmp_path):
    parts = parts_of([(f"云计算平台{text}", label) for text, label in make_rows(100)])
    path = tmp_path / "words.txt"
    words = {"preprocess__segmenter": "jieba", "preprocess__dictionary": str(path)}
    path.write_text("云计算平台 1000\n", encoding="utf-8")
    before = prepare(Pipeline(parts, cache), cache, **words)[1].encoder.vocabulary
    path.write_text("云计算 1000\n", encoding="utf-8")

    stages, prepared = prepare(Pipeline(parts, cache), cache, **words)

    assert stages == ["encoding", "segments", "vocabulary"]
    assert [word in before for word in ("云计算平台", "云计算")] == [True, False]
    assert [word in prepared.encoder.vocabulary for word in ("云计算平台", "云计算")] == [
        False,
        True,
    ]


def test_damaged_stage_is_rebuilt_to_the_same_features(pipeline, cache, caplog):
    _, before = prepare(pipeline, cache)
    ids = before.encoded["train"].flat.tolist()
    for entry in cache.entries():
        content = bytearray(entry.path.read_bytes())
        content[len(content) // 2] ^= 1
        entry.path.write_bytes(content)
    fresh = Pipeline(pipeline.parts, cache)

    stages, after = prepare(fresh, cache)

    assert stages == ALL
    assert caplog.text.count("made anew") == 4
    assert after.encoder.vocabulary == before.encoder.vocabulary
    assert after.encoded["train"].flat.tolist() == ids


def test_folds_segment_nothing_and_fit_their_own_vocabulary(pipeline, cache):
    prepare(pipeline, cache)
    parts = pipeline.parts
    fold = SearchParts(
        parts.selection, parts.validation, parts.train, parts.classes, parts.fingerprint, 9
    )

    stages, prepared = prepare(pipeline.on(fold), cache)

    assert stages == ["encoding", "vocabulary"]
    numbers = [d.text[-2:] for d in parts.train]  # each text ends in a number of its own
    assert not set(numbers) & set(prepared.encoder.vocabulary)


def test_fold_with_more_words_than_its_study_keeps_the_shapes_of_the_study(pipeline, cache):
    _, study = prepare(pipeline, cache)
    parts = pipeline.parts
    fold = SearchParts((*parts.train, *parts.selection), parts.validation, parts.selection,
                       parts.classes, parts.fingerprint, 9)  # fmt: skip

    _, prepared = prepare(pipeline.on(fold), cache)

    assert len(prepared.encoder.vocabulary) == len(study.encoder.vocabulary)
    assert prepared.data.layout is study.data.layout


def test_text_that_occurs_twice_is_segmented_once(cache):
    rows = make_rows(60)
    pipeline = Pipeline(parts_of(rows + rows[:30], n_train=60), cache)

    tokens = pipeline.tokens(pipeline.resolve(load_settings().preprocess), "validation")

    assert len(cache.open("cleaning", cache.entries()[-1].key)["starts"]) == 61
    assert ["".join(found) for found in tokens] == [text for text, _ in rows[:15]]


def test_encoded_part_predicts_as_its_raw_texts_do(pipeline):
    prepared = pipeline.prepare(load_settings())
    texts = [d.text for d in pipeline.parts.selection]

    tokens = pipeline.tokens(prepared.preprocess, "selection")

    assert ["".join(found) for found in tokens] == texts
    again = prepared.encoder.encode(tokens)
    assert again.flat.tolist() == prepared.encoded["selection"].flat.tolist()


def test_preparing_stops_when_asked(pipeline):
    def stop():
        raise Interrupted(2)

    with pytest.raises(Interrupted):
        pipeline.prepare(load_settings(), stop_requested=stop)


def test_vocabulary_settings_have_a_stage_each():
    # A setting that no key holds would serve stale features: name its stage here and in stages.py.
    assert set(FeatureSettings.model_fields) == {
        "vocabulary_size", "min_count", "ngrams", "ngram_min_count", "subwords",
        "length_percentile", "max_tokens",
    }  # fmt: skip
