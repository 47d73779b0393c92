"""Which checkpoint to start from can itself be searched, through the real command."""

from __future__ import annotations

import json

from tests.conftest import SMALL, run_tuner
from tests.tiny_checkpoints import write_bert


def test_two_checkpoints_are_searched_and_the_winner_predicts(table, tmp_path):
    folders = [str(write_bert(tmp_path / name, seed=n)) for n, name in enumerate(("one", "two"))]

    searched = run_tuner(
        "optimize", "--data", str(table), *SMALL, "--set", "model.backbone=pretrained",
        "--set", f"space.model.checkpoint={{choices={json.dumps(folders)}}}",
        "--trials", "3", "--study-name", "two", cwd=tmp_path,
    )  # fmt: skip
    predicted = run_tuner("predict", "房间很好", cwd=tmp_path)

    assert searched.returncode == 0, searched.stderr
    best = json.loads((tmp_path / "runs/two/best_params.json").read_text(encoding="utf-8"))
    used = json.loads((tmp_path / "runs/two/best_model/settings.json").read_text(encoding="utf-8"))
    assert best["trials"]["complete"] == 3
    assert best["params"]["model.checkpoint"] in folders
    assert used["model"]["checkpoint"] == best["params"]["model.checkpoint"]
    assert predicted.returncode == 0, predicted.stderr
