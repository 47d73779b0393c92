"""One study with the choices that are off by default, through the real command."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import openpyxl

from tests.conftest import BAD, GOOD, NEUTRAL, SMALL, make_rows, run_tuner, write_csv

OFF = (
    "training.learning_rate", "training.fine_tune_scale", "regularization.l1",
    "regularization.l2", "model.dropout", "model.token_dropout", "model.pooling_power",
)  # fmt: skip


def optimize(folder, data, sets, *, trials):
    return run_tuner(
        "optimize", "--data", data, "--trials", str(trials), *SMALL,
        *(argument for each in sets for argument in ("--set", each)),
        cwd=folder,
    )  # fmt: skip


def test_grid_over_a_workbook_with_vectors_augmentation_and_focal_loss(tmp_path):
    book = openpyxl.Workbook()
    for row in [("text", "label"), *make_rows(60)]:
        book.active.append(row)
    book.save(tmp_path / "reviews.xlsx")
    characters = sorted(set("".join([*GOOD, *BAD, *NEUTRAL])))
    vectors = np.random.default_rng(0).normal(size=(len(characters), 8))
    np.savez(tmp_path / "vectors.npz", words=np.array(characters), vectors=vectors)
    chosen = {
        "model.backbone": "bigru", "model.width": 8, "model.vectors": "vectors.npz",
        "preprocess.segmenter": "characters", "training.focal_gamma": 1.0,
        "augmentation.deletion": 0.1, "augmentation.noise": 0.05, "sampler.name": "grid",
        "space.model.freeze_vectors": "{choices=[false,true]}",
    }  # fmt: skip
    sets = [f"{name}={value}" for name, value in chosen.items()]
    sets += [f"space.{name}=off" for name in (*OFF, "model.frozen_depth")]

    done = optimize(tmp_path, "reviews.xlsx", sets, trials=9)

    assert done.returncode == 0, done.stderr
    assert "every combination of the grid has been tried" in done.stderr
    assert "100.0 % of the train tokens" not in done.stderr  # digits have no vector
    assert f"vectors for {len(characters)} of " in done.stderr
    (best,) = (tmp_path / "runs").glob("*/best_params.json")
    content = json.loads(best.read_text(encoding="utf-8"))
    assert content["outcome"] == "exhausted"
    assert content["trials"]["complete"] == 2
    with sqlite3.connect(tmp_path / "runs" / "tuner.db") as database:
        (written,) = database.execute(
            "select value_json from study_user_attributes where key = 'vectors'"
        ).fetchone()
    assert json.loads(written)["n_found"] == len(characters)
    predicted = run_tuner(
        "predict", "--input", "reviews.xlsx", "--model", str(best.parent / "best_model"),
        cwd=tmp_path,
    )  # fmt: skip
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 61


def test_a_broken_file_among_searched_vectors_fails_its_trial_and_the_study_goes_on(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    (tmp_path / "broken.txt").write_text("好 1 2\n差 1\n", encoding="utf-8")
    off = [f"space.{name}=off" for name in (*OFF, "model.frozen_depth")]
    sets = [
        "model.backbone=average", "preprocess.segmenter=characters", "sampler.name=grid",
        "model.embedding_width=2", 'space.model.vectors={choices=["none","broken.txt"]}', *off,
    ]  # fmt: skip

    done = optimize(tmp_path, "reviews.csv", sets, trials=2)

    assert done.returncode == 0, done.stderr
    assert "broken.txt, line 2: must have 2 numbers behind the word; got 1" in done.stderr
    (best,) = (tmp_path / "runs").glob("*/best_params.json")
    trials = json.loads(best.read_text(encoding="utf-8"))["trials"]
    assert (trials["complete"], trials["failed"]) == (1, 1)
