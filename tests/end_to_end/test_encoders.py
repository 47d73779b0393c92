"""Pretrained encoders through the real command: search, resume, predict, refuse."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.conftest import SMALL, make_rows, run_tuner, write_csv
from tests.tiny_checkpoints import FAMILIES, write_bert, write_keras_hub_preset
from tuner.models.pretrained import sources

FAST = (*SMALL, "--set", "model.backbone=pretrained", "--set", "training.encoder_batch_size=8",
        "--study-name", "tiny")  # fmt: skip
QUICK = [word for setting in (
    "training.epochs=1", "training.fine_tune_epochs=1", "training.steps_per_epoch_min=1",
    "model.backbone=pretrained", "training.encoder_batch_size=8", "pruner.name=none",
) for word in ("--set", setting)]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study of three trials on a tiny BERT, interrupted by its total after two."""
    root = tmp_path_factory.mktemp("encoder")
    table = write_csv(root / "reviews.csv", make_rows(60))
    write_bert(root / "bert")
    runs = [
        run_tuner(
            "optimize", "--data", str(table), *FAST,
            "--set", "model.checkpoint=bert", "--trials", total, cwd=root,
        )
        for total in ("2", "3")
    ]  # fmt: skip
    return root, runs


def test_a_study_runs_and_goes_on(finished):
    root, runs = finished
    best = json.loads((root / "runs/tiny/best_params.json").read_text(encoding="utf-8"))

    assert [run.returncode for run in runs] == [0, 0], runs[-1].stderr
    assert best["trials"]["complete"] == 3
    assert "training.encoder_learning_rate" in best["params"]
    assert 0 <= best["params"]["model.frozen_depth"] <= 3
    assert "model.token_dropout" not in best["params"]


def test_a_fresh_process_in_another_folder_reproduces_the_score(finished, tmp_path):
    root, _ = finished
    lines = (root / "runs/tiny/data/selection.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    (tmp_path / "texts.jsonl").write_text(
        "\n".join(json.dumps({"text": row["text"]}) for row in rows), encoding="utf-8"
    )
    best = json.loads((root / "runs/tiny/best_params.json").read_text(encoding="utf-8"))

    model = str(root / "runs/tiny/best_model")
    done = run_tuner("predict", "--input", "texts.jsonl", "--json", "--model", model, cwd=tmp_path)
    predicted = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    right = sum(row["label"] == label for row, label in zip(rows, predicted, strict=True))

    assert right / len(rows) == pytest.approx(best["selection"]["accuracy"], abs=1e-12)


def searched_and_predicted(run, folder, preset, table):
    """Search with one trial, go on with another, and predict in a fresh process."""
    line = ("optimize", "--data", str(table), *FAST, "--set", f"model.checkpoint={preset}")

    searched = run(*line, "--trials", "1", cwd=folder)
    went_on = run(*line, "--trials", "2", cwd=folder)
    predicted = run_tuner("predict", "很好，很满意", cwd=folder)

    assert searched.returncode == 0, searched.stderr
    assert went_on.returncode == 0, went_on.stderr
    assert trials_of(folder / "runs/tiny") == {"complete": 2}
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stdout.splitlines()[1].split(",")[0] in ("正面", "负面")


@pytest.mark.parametrize("family", ["roberta", "xlm_roberta", "albert"])
def test_a_study_on_another_family_goes_on_and_predicts_in_a_fresh_process(
    family, table, tmp_path, run_here
):
    checkpoint = FAMILIES[family](tmp_path / "checkpoint")

    searched_and_predicted(run_here, tmp_path, checkpoint, table)


def test_a_study_on_a_preset_of_keras_hub_goes_on_and_predicts_in_fresh_processes(table, tmp_path):
    preset = write_keras_hub_preset(tmp_path / "preset")

    searched_and_predicted(run_tuner, tmp_path, preset, table)


def trials_of(run):
    counts = json.loads((run / "best_params.json").read_text(encoding="utf-8"))["trials"]
    return {state: n for state, n in counts.items() if n and state in ("complete", "failed")}


def test_a_real_encoder_is_searched_goes_on_and_predicts_in_a_fresh_process(tmp_path):
    praise, blame = ("lovely", "clean", "friendly", "great"), ("dirty", "rude", "noisy", "awful")
    places = ("room", "staff", "breakfast", "lobby", "view")
    rows = [
        (f"The {place} was {word}.", label)
        for label, words in (("good", praise), ("bad", blame))
        for word in words
        for place in places
    ]
    table = write_csv(tmp_path / "reviews.csv", rows)
    line = ("optimize", "--data", str(table), *QUICK[:6], "--confirm", "none",
            "--set", "model.backbone=minilm", "--set", "model.frozen_depth=6",
            "--study-name", "real")  # fmt: skip

    searched = run_tuner(*line, "--trials", "1", cwd=tmp_path)
    went_on = run_tuner(*line, "--trials", "2", cwd=tmp_path)
    predicted = run_tuner("predict", "The food was awful.", cwd=tmp_path)

    assert searched.returncode == 0, searched.stderr
    assert went_on.returncode == 0, went_on.stderr
    assert trials_of(tmp_path / "runs/real") == {"complete": 2}
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stdout.splitlines()[1].split(",")[0] in ("good", "bad")


def test_the_model_folder_holds_what_was_trained_and_names_the_rest(finished):
    root, _ = finished
    folder = root / "runs/tiny/best_model"
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))

    assert len(about["checkpoint"]) == 64
    assert not (folder / "vocabulary.json").exists()


def test_a_model_whose_checkpoint_is_gone_says_so_and_takes_one_beside_it(finished, tmp_path):
    root, _ = finished
    folder = tmp_path / "model"
    shutil.copytree(root / "runs/tiny/best_model", folder)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    settings["model"]["checkpoint"] = str(tmp_path / "nowhere")
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    ask = ("predict", "很好", "--model", str(folder))

    without = run_tuner(*ask, cwd=tmp_path)
    shutil.copytree(root / "bert", folder / "checkpoint")
    beside = run_tuner(*ask, cwd=tmp_path)
    shutil.rmtree(folder / "checkpoint")
    write_bert(folder / "checkpoint", seed=9)
    another = run_tuner(*ask, cwd=tmp_path)

    assert without.returncode == 1
    assert "checkpoint" in without.stderr
    assert without.stderr.count("\n") == 1
    assert beside.returncode == 0, beside.stderr
    assert another.returncode == 1
    assert "is another one" in another.stderr


def test_a_study_whose_checkpoint_was_replaced_is_refused_and_goes_on_with_the_old_one(
    table, tmp_path, run_here
):
    checkpoint = write_bert(tmp_path / "bert")
    line = ("--data", str(table), "--study-name", "tiny", "--trials", "1", *QUICK,
            "--set", f"model.checkpoint={checkpoint}")  # fmt: skip

    submitted = run_here("submit", *line, cwd=tmp_path)
    write_bert(checkpoint, seed=9)
    sources._open.cache_clear()  # as in a process that starts now
    refused = [
        run_here(*command, cwd=tmp_path)
        for command in (
            ("optimize", *line), ("worker", "--study-name", "tiny"), ("replay", "tiny", "0"),
        )
    ]  # fmt: skip
    write_bert(checkpoint)
    went_on = run_tuner("worker", "--study-name", "tiny", cwd=tmp_path)

    assert submitted.returncode == 0, submitted.stderr
    for done in refused:
        assert done.returncode == 2, done.stderr
        assert "--study-name 'tiny' was made with other files" in done.stderr
        assert f"the digest of model.checkpoint={checkpoint} is " in done.stderr
        assert "put the old ones back, or choose another --study-name." in done.stderr
        assert done.stderr.count("\n") == 1
    assert went_on.returncode == 0, went_on.stderr


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("model.backbone=pretrained",), "model.checkpoint must name"),
        (("model.backbone=pretrained", "model.checkpoint=nowhere/bert"), "a folder that is there"),
        (("model.checkpoint=bert_base_zh",), "belongs to model.backbone=pretrained"),
    ],
)
def test_a_checkpoint_that_cannot_be_had_is_refused_in_one_line(table, tmp_path, overrides, said):
    flags = [flag for override in overrides for flag in ("--set", override)]

    done = run_tuner("optimize", "--data", str(table), "--trials", "1", *flags, cwd=tmp_path)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
