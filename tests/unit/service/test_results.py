"""Results that are gone or damaged."""

from __future__ import annotations

import json

import pytest

from tuner.config import Settings
from tuner.errors import StorageError
from tuner.persist import FolderBlobs
from tuner.records import TrialRecord
from tuner.service.results import Results


class NoBlobs:
    """A database that holds none."""

    def has(self, key):
        return False


def results(folder, blobs):
    return Results(
        folder, study="s", settings=Settings(), parts=None, findings=(),
        storage="postgresql://db/t", pipeline=None, read_trials=list, blobs=blobs,
    )  # fmt: skip


def test_missing_weights_are_looked_for_where_the_study_keeps_them(tmp_path):
    best = TrialRecord(3, 3, "complete", 0.5, {}, {}, {"weights": "w"}, None, 1.0)

    with pytest.raises(StorageError, match=r"^postgresql://db/t: the weights of trial 3 .*backup"):
        results(tmp_path, NoBlobs()).check_weights(best)
    with pytest.raises(StorageError, match=r"blobs: the weights of trial 3 .*--output it was"):
        results(tmp_path, FolderBlobs(tmp_path / "blobs")).check_weights(best)


WHOLE = {"outcome": "complete", "trials": {}, "test": {}}


def test_best_params_are_read_as_they_were_written(tmp_path):
    (tmp_path / "best_params.json").write_text(json.dumps(WHOLE), encoding="utf-8")

    assert results(tmp_path, NoBlobs()).read_best() == WHOLE


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"[]", b"7", b'{"schema": 1}', b'{"sch', b"\xff", b"[" * 100_000,
        *(json.dumps({k: v for k, v in WHOLE.items() if k != name}).encode() for name in WHOLE),
    ],
    ids=lambda content: repr(content)[:30],
)  # fmt: skip
def test_best_params_of_another_kind_count_as_none(tmp_path, content):
    if content is not None:
        (tmp_path / "best_params.json").write_bytes(content)

    assert results(tmp_path, NoBlobs()).read_best() is None
