"""What makes two pretrainings the same."""

from __future__ import annotations

import pytest

from tuner.errors import DataError
from tuner.pipeline.pretraining_settings import Pretraining


def identity(corpus, **changed):
    asked = {
        "text": (), "layers": 2, "width": 16, "heads": 2, "length": 24, "vocabulary": 300,
        "epochs": 1, "steps": None, "batch_size": 8, "learning_rate": 1e-3, "minutes": None,
        "seed": 0,
    } | changed  # fmt: skip
    return Pretraining(corpus=str(corpus), **asked).identity()


def class_folder(folder):
    for name, text in {"good/a.txt": "很好", "good/b.txt": "满意", "bad/a.txt": "很差"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_folder_is_known_by_its_files_wherever_it_lies(tmp_path):
    first, copy = class_folder(tmp_path / "first"), class_folder(tmp_path / "copy")
    (copy / ".DS_Store").write_bytes(b"left by a file manager")

    assert identity(first) == identity(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "good/a.txt").write_text("更好", encoding="utf-8"),
        lambda folder: (folder / "good/c.txt").write_text("更好", encoding="utf-8"),
        lambda folder: (folder / "bad/a.txt").unlink(),
        lambda folder: (folder / "good/b.txt").rename(folder / "bad/b.txt"),
    ],
    ids=["another text", "one more", "one fewer", "moved"],
)
def test_a_folder_whose_files_have_changed_is_another_corpus(change, tmp_path):
    folder = class_folder(tmp_path / "corpus")
    before = identity(folder)
    change(folder)

    assert identity(folder) != before


def test_a_corpus_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        identity(tmp_path / "texts.txt")
