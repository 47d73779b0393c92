"""What is said when the weights of the best trial are gone."""

from __future__ import annotations

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
