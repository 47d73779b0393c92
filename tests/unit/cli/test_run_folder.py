from __future__ import annotations

import json

import pytest

from tuner.cli.run_folder import read_best_params
from tuner.errors import CheckpointError

WHOLE = {
    "study": "s", "outcome": "complete", "trial": 0,
    "objective": {"metric": "macro_f1", "value": 0.5}, "params": {"model.dropout": 0.3},
    "data": {"selection": 6}, "test": {"macro_f1": None}, "baselines": {},
}  # fmt: skip


def written(folder, content):
    (folder / "best_params.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_whole_results_are_read(tmp_path):
    assert read_best_params(written(tmp_path, WHOLE)) == WHOLE


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ([], "got list"),
        ("text", "got str"),
        (None, "got NoneType"),
        ({}, "must hold study"),
        ({"study": 1}, "must hold study"),
        ({**WHOLE, "objective": {"metric": "macro_f1"}}, "must hold objective.value"),
        ({**WHOLE, "test": []}, "must hold test"),
    ],
)
def test_damaged_results_are_named_with_what_is_missing(tmp_path, content, word):
    with pytest.raises(CheckpointError) as caught:
        read_best_params(written(tmp_path, content))

    assert str(tmp_path / "best_params.json") in str(caught.value)
    assert word in str(caught.value)
