import json

import numpy as np
import pytest

from tuner.errors import CheckpointError, DataError, StorageError
from tuner.persist import (
    FolderBlobs,
    SealedTest,
    StoredModel,
    pack_arrays,
    read_model,
    read_parts,
    unpack_arrays,
    write_json,
    write_model,
    write_parts,
)
from tuner.records import Document, SearchParts


def documents(*texts):
    return tuple(Document(text, "a", "t.csv", line) for line, text in enumerate(texts, start=2))


@pytest.fixture
def parts_folder(tmp_path):
    odd = documents("line\u2028separator", "=formula", "好\ud83d")
    parts = SearchParts(documents("x"), documents("y"), odd[:2], ("a",), "f" * 64, 1)
    write_parts(tmp_path, parts, documents("sealed"), origin={})
    return tmp_path


def test_parts_survive_writing(tmp_path, parts_folder):
    parts = read_parts(parts_folder)

    assert [d.text for d in parts.selection] == ["line\u2028separator", "=formula"]
    assert parts.n_test == 1
    assert not hasattr(parts, "test")


def test_part_with_a_row_missing_is_refused(parts_folder):
    (parts_folder / "data" / "train.jsonl").write_text("")

    with pytest.raises(DataError, match=r"train.jsonl: must have 1 rows"):
        read_parts(parts_folder)


def test_ledger_row_stands_before_the_test_is_read(parts_folder):
    sealed = SealedTest(parts_folder)
    (parts_folder / "sealed" / "test.jsonl").unlink()

    with pytest.raises(DataError):
        sealed.open({"winner": "w1"})

    assert sealed.reads == 1


def test_readings_are_counted_by_winner(parts_folder):
    sealed = SealedTest(parts_folder)
    sealed.open({"winner": "w1", "default": "d"})
    sealed.open({"winner": "w1", "default": "d"})
    assert sealed.reads == 1

    sealed.open({"winner": "w2", "default": "d"})
    assert [entry["models"]["winner"] for entry in sealed.entries()] == ["w1", "w2"]


def test_torn_ledger_row_counts_as_a_reading(parts_folder):
    sealed = SealedTest(parts_folder)
    (parts_folder / "sealed" / "ledger.jsonl").write_text('{"read": 1, "mod')

    assert sealed.reads == 1

    sealed.open({"winner": "w1"})
    sealed.open({"winner": "w1"})
    assert sealed.reads == 2


@pytest.mark.parametrize("row", ["3", '"x"', '{"models": 3}'])
def test_ledger_row_of_another_kind_counts_as_a_reading(parts_folder, row):
    sealed = SealedTest(parts_folder)
    (parts_folder / "sealed" / "ledger.jsonl").write_text(f"{row}\n")

    sealed.open({"winner": "w1"})

    assert sealed.reads == 2


def test_damaged_blob_counts_as_absent(tmp_path):
    blobs = FolderBlobs(tmp_path)
    blobs.put("k", b"content")
    assert blobs.get("k") == b"content"

    path = tmp_path / "k.blob"
    path.write_bytes(path.read_bytes()[:-1])

    assert blobs.get("k") is None
    assert blobs.get("nowhere") is None


def test_blob_is_there_from_its_writing_to_its_removal(tmp_path):
    blobs = FolderBlobs(tmp_path)
    assert not blobs.has("k")
    blobs.put("k", b"")
    assert blobs.has("k")
    blobs.delete("k")
    assert not blobs.has("k")


def test_same_arrays_give_the_same_bytes():
    arrays = {
        "a/b": np.arange(3, dtype=np.float32), "c": np.ones((2, 2), np.int32).T,
        "number": np.array(7, np.int32),
    }  # fmt: skip

    packed = pack_arrays(arrays)

    assert packed == pack_arrays(dict(reversed(arrays.items())))
    for name, array in unpack_arrays(packed).items():
        np.testing.assert_array_equal(array, arrays[name], strict=True)
    with pytest.raises(CheckpointError):
        unpack_arrays(packed[:-30])


def stored(**changes):
    settings = {"preprocess": {"dictionary": None, "stop_words": "none"}}
    return StoredModel(
        **{
            "settings": settings, "vocabulary": ("[PAD]", "[UNK]", "好"), "ngrams": 1,
            "max_tokens": 8, "edges": (8,), "classes": ("a", "b"),
            "weights": {"w": np.ones(2, np.float32)}, "about": {"trial": 3},
        } | changes
    )  # fmt: skip


def test_model_folder_survives_and_carries_its_word_lists(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("云计算 10\n", encoding="utf-8")
    settings = {"preprocess": {"dictionary": str(words), "stop_words": "none"}}
    write_model(tmp_path / "model", stored(settings=settings))
    words.unlink()
    write_model(tmp_path / "model2", stored())

    model = read_model(tmp_path / "model")

    assert model.classes == ("a", "b")
    assert "云计算" in (tmp_path / "model" / "dictionary.txt").read_text(encoding="utf-8")
    assert model.settings["preprocess"]["dictionary"] == str(tmp_path / "model" / "dictionary.txt")
    assert read_model(tmp_path / "model2").about == {"trial": 3}


@pytest.mark.parametrize("name", ["zh", "en", "none"])
def test_a_file_called_like_a_shipped_list_does_not_take_its_place(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("my notes\n")
    settings = {"preprocess": {"dictionary": None, "stop_words": name}}

    write_model(tmp_path / "model", stored(settings=settings))

    assert read_model(tmp_path / "model").settings["preprocess"]["stop_words"] == name
    assert not (tmp_path / "model" / "stop_words.txt").exists()


def test_rewritten_model_folder_leaves_nothing_else_behind(tmp_path):
    write_model(tmp_path / "model", stored())
    write_model(tmp_path / "model", stored(about={"trial": 4}))

    assert read_model(tmp_path / "model").about == {"trial": 4}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("damage", ["labels.json", "weights.npz"])
def test_damaged_model_folder_is_named(tmp_path, damage):
    write_model(tmp_path / "model", stored())
    (tmp_path / "model" / damage).write_bytes(b"{")

    with pytest.raises(CheckpointError, match=rf"^{tmp_path / 'model'}: "):
        read_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("file", "value", "words"),
    [
        ("labels.json", {}, "labels.json must be a list of texts"),
        ("labels.json", ["a"], "at least 2 names; it has 1"),
        ("labels.json", ["a", "a"], "every name once"),
        ("labels.json", ["a", 1], "labels.json must be a list of texts"),
        ("vocabulary.json", ["[PAD]", "好"], "vocabulary.json must begin with"),
        ("vocabulary.json", "[PAD]", "vocabulary.json must be a list of texts"),
        ("model.json", [], "damaged"),
        ("settings.json", {}, "'preprocess' is missing"),
        ("settings.json", {"preprocess": {"dictionary": "dictionary.txt"}}, "dictionary.txt"),
    ],
)
def test_model_folder_with_a_wrong_file_is_refused(tmp_path, file, value, words):
    write_model(tmp_path / "model", stored())
    write_json(tmp_path / "model" / file, value)

    with pytest.raises(CheckpointError, match=words) as caught:
        read_model(tmp_path / "model")

    assert str(tmp_path / "model") in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"edges": ()}, "edges must be rising"),
        ({"edges": (16, 8)}, "edges must be rising"),
        ({"edges": (0, 8)}, "edges must be rising"),
        ({"edges": ("8",)}, "edges must be a list of integers"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"subwords": (4, 3)}, "subwords must be two lengths"),
        ({"subwords": "3-4"}, "subwords must be two lengths"),
        ({"weights": {"w": np.array([np.nan], np.float32)}}, "'w' must hold finite numbers"),
    ],
)
def test_model_folder_that_would_answer_wrongly_is_refused(tmp_path, changes, words):
    write_model(tmp_path / "model", stored(**changes))

    with pytest.raises(CheckpointError, match=words):
        read_model(tmp_path / "model")


def test_manifest_without_its_rows_is_refused(parts_folder):
    (parts_folder / "data" / "manifest.json").write_text("{}")

    with pytest.raises(DataError, match=r"manifest\.json: .* lacks 'origin'\.$"):
        read_parts(parts_folder)


def test_full_disk_ends_in_a_clear_line_and_keeps_the_old_file():
    with pytest.raises(StorageError, match="disk is full|No space"):
        # /dev/full answers every write as a full disk does.
        from pathlib import Path

        from tuner.persist import disk_errors

        with disk_errors(Path("/dev/full")), Path("/dev/full").open("w") as file:
            file.write("x")
            file.flush()


def test_json_is_whole_or_absent(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})

    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
