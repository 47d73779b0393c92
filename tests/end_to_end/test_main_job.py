"""The main job through the real command."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing

import numpy as np
import optuna
import pytest

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv
from tuner.search import read_trials


def optimize(table, *arguments, cwd, **extra):
    return run_tuner(
        "--data", str(table), "--trials", "4", *SMALL, *arguments, cwd=cwd,
        module="tuner.optimize", **extra,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study, and what the command said."""
    folder = tmp_path_factory.mktemp("study")
    table = write_csv(folder / "reviews.csv", make_rows(120))
    result = optimize(table, "--study-name", "s", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder, result


def best_params(folder):
    return json.loads((folder / "runs" / "s" / "best_params.json").read_text(encoding="utf-8"))


def test_best_params_has_every_promised_key(finished):
    folder, _ = finished
    best = best_params(folder)

    assert (best["schema"], best["study"]) == (1, "s")
    assert best["objective"]["metric"] == "macro_f1"
    assert best["objective"]["direction"] == "maximize"
    assert best["objective"]["value"] == best["selection"]["macro_f1"]
    assert best["verdict"]["kind"] in ("worth_it", "not_worth_it", "cannot_tell")
    interval = best["test"]["intervals"]["macro_f1"]
    assert interval["low"] <= best["test"]["macro_f1"] <= interval["high"]
    assert {
        "training.learning_rate", "regularization.l1", "regularization.l2", "model.dropout",
        "model.frozen_depth",
    } <= set(best["params"])  # fmt: skip
    assert set(best["validation"]) >= {"accuracy", "macro_f1", "weighted_f1", "mcc", "log_loss"}
    assert (best["test"]["n"], best["test"]["reads"]) == (18, 1)
    assert best["trials"] == {"complete": 4, "pruned": 0, "failed": 0, "retried": 0}
    assert best["data"]["classes"] == ["正面", "负面"]
    assert [best["data"][p] for p in ("train", "validation", "selection", "test")] == [
        72, 18, 12, 18,
    ]  # fmt: skip
    assert set(best["baselines"]) == {
        "majority", "tfidf_words", "tfidf_characters", "default",
    }  # fmt: skip
    assert best["config"]["training"]["epochs"] == 4
    assert "optuna" in best["versions"]


def test_what_the_winning_backbone_does_not_use_is_named(finished):
    folder, _ = finished
    best = best_params(folder)

    unused = {"average": [], "linear": ["model.dropout", "model.pooling_power"]}
    assert sorted(best["unused_params"]) == unused[best["params"]["model.backbone"]]


def test_result_learns_what_the_words_tell(finished):
    folder, _ = finished

    assert best_params(folder)["test"]["macro_f1"] > 0.8


def test_results_are_json_and_csv_and_lie_where_promised(finished):
    folder, _ = finished
    run = folder / "runs" / "s"

    assert (folder / "runs" / "tuner.db").exists()
    rows = list(csv.DictReader((run / "trials.csv").read_text("utf-8-sig").splitlines()))
    assert [row["state"] for row in rows] == ["complete"] * 4
    study = json.loads((run / "study.json").read_text(encoding="utf-8"))
    assert study["trials"]["finished"] == 4
    assert study["sealed_test_reads"] == 1
    assert {
        "train",
        "fine_tune",
        "validate",
        "claim",
        "suggest",
        "report",
        "store",
        "tell",
    } <= set(study["stage_seconds"])
    assert 0.0 < study["non_training_share"] < 1.0
    names = {path.name for path in (run / "best_model").iterdir()}
    assert names == {
        "labels.json",
        "model.json",
        "settings.json",
        "vocabulary.json",
        "weights.npz",
    }
    assert list((run / "logs").glob("*.log"))


def test_output_shows_winner_beside_baselines(finished):
    _, result = finished

    assert "ended (complete): 4 finished trials" in result.stdout
    assert "tfidf_words" in result.stdout
    assert "sealed test (18 rows, read once)" in result.stdout
    assert "Traceback" not in result.stderr


def test_fresh_process_reproduces_the_stored_test_scores_exactly(finished):
    folder, _ = finished
    sealed = folder / "runs" / "s" / "sealed" / "test.jsonl"
    documents = [json.loads(line) for line in sealed.read_text(encoding="utf-8").splitlines()]

    result = run_tuner("predict", "--input", str(sealed), "--json", cwd=folder)

    predicted = [json.loads(line) for line in result.stdout.splitlines()]
    stored = best_params(folder)["test"]
    right = [p["label"] == d["label"] for p, d in zip(predicted, documents, strict=True)]
    assert np.mean(right) == stored["accuracy"]
    chosen = [p["probabilities"][d["label"]] for p, d in zip(predicted, documents, strict=True)]
    loss = float(-np.mean(np.log(np.clip(np.array(chosen, np.float64), 1e-15, 1.0))))
    assert loss == pytest.approx(stored["log_loss"], rel=1e-12)


def test_single_texts_are_predicted_as_safe_csv(finished):
    folder, _ = finished

    result = run_tuner("predict", "很好满意喜欢", "=很差失望", cwd=folder)

    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["label"] for row in rows] == ["正面", "负面"]
    assert rows[1]["text"] == "'=很差失望"


def test_finished_study_says_so_and_does_nothing(finished):
    folder, _ = finished
    before = (folder / "runs" / "s" / "best_params.json").read_bytes()

    result = optimize(folder / "reviews.csv", "--study-name", "s", cwd=folder)

    assert result.returncode == 0
    assert "nothing to do" in result.stdout
    assert (folder / "runs" / "s" / "best_params.json").read_bytes() == before


def test_who_asks_for_fewer_trials_than_there_are_has_not_too_many(finished):
    folder, _ = finished

    result = optimize(folder / "reviews.csv", "--study-name", "s", "--trials", "2", cwd=folder)
    checked = run_tuner("storage", "check", cwd=folder)

    assert "nothing to do" in result.stdout
    assert (checked.returncode, checked.stdout) == (0, "nothing is wrong\n")


def test_grown_study_continues_and_warns_that_the_test_has_been_read(finished, tmp_path):
    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{copy}/runs/tuner.db")
    study.set_user_attr("terms:code", {"tuner": "0.0.1"})
    with closing(sqlite3.connect(copy / "runs/tuner.db")) as database, database:
        database.execute("UPDATE trial_values SET value = 0.0")  # so one of the new trials wins
    result = run_tuner("optimize", "--data", str(copy / "reviews.csv"), "--trials", "6", *SMALL,
                       "--study-name", "s", "--json", cwd=copy)  # fmt: skip

    best = json.loads(result.stdout)
    assert best["trials"]["complete"] == 6
    assert "has been read once" in result.stderr
    assert "of other code: jieba is None there" in result.stderr
    assert "tuner is 0.0.1 there, 0.1.0 here; scores of both may not compare" in result.stderr
    assert best["trial"] in (4, 5)
    assert best["test"]["reads"] == 2


def test_missing_sealed_test_is_noticed_before_a_trial_runs(finished, tmp_path):
    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "runs" / "s" / "sealed" / "test.jsonl").unlink()

    refused = run_tuner("optimize", "--data", str(copy / "reviews.csv"), "--trials", "9", *SMALL,
                        "--study-name", "s", cwd=copy)  # fmt: skip

    assert refused.returncode == 3, refused.stderr
    assert "the sealed test part of this study is missing" in refused.stderr
    assert "trial 4" not in refused.stderr


def test_best_params_that_cannot_be_read_are_written_anew(finished, tmp_path):
    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "runs" / "s" / "best_params.json").write_text('{"sch')

    result = optimize(copy / "reviews.csv", "--study-name", "s", cwd=copy)

    assert result.returncode == 0, result.stderr
    again, before = best_params(copy), best_params(folder)
    assert (again["trial"], again["test"]) == (before["trial"], before["test"])


def test_another_output_is_refused_before_a_trial_runs(finished, tmp_path):
    folder, _ = finished
    storage = f"sqlite:///{tmp_path / 'copy.db'}"
    shutil.copy(folder / "runs" / "tuner.db", tmp_path / "copy.db")
    line = ["optimize", "--data", str(folder / "reviews.csv"), *SMALL, "--study-name", "s",
            "--storage", storage, "--trials", "9", "--output", "elsewhere"]  # fmt: skip

    refused = run_tuner(*line, cwd=tmp_path)

    assert refused.returncode == 1, refused.stderr
    assert "Continue the study with the --output it was begun with" in refused.stderr
    assert "trial 4" not in refused.stderr
    status = run_tuner("status", "--storage", storage, "--json", cwd=tmp_path)
    assert json.loads(status.stdout)[0]["failed"] == 0


def test_status_and_best_show_the_study(finished):
    folder, _ = finished

    (study,) = json.loads(run_tuner("status", "--json", cwd=folder).stdout)
    assert (study["study"], study["finished"], study["running"]) == ("s", 4, 0)
    trials = json.loads(run_tuner("status", "--study-name", "s", "--json", cwd=folder).stdout)
    assert [trial["state"] for trial in trials] == ["complete"] * 4
    assert json.loads(run_tuner("best", "--json", cwd=folder).stdout) == best_params(folder)
    assert "tfidf_words" in run_tuner("best", cwd=folder).stdout


def test_one_program_a_shape_serves_all_trials(finished):
    folder, _ = finished
    trials = json.loads(run_tuner("status", "--study-name", "s", "--json", cwd=folder).stdout)

    # Of a backbone, one training program a frozen depth that was tried, and one for prediction.
    depths: dict[str, set[int]] = {}
    for trial in trials:
        params = trial["params"]
        depths.setdefault(params["model.backbone"], {0}).add(params["model.frozen_depth"])
    compiled = sum(trial["attributes"]["programs_compiled"] for trial in trials)
    assert compiled == sum(len(tried) + 1 for tried in depths.values())
    study = json.loads((folder / "runs" / "s" / "study.json").read_text("utf-8"))
    assert study["programs"] == study["programs_compiled"] == compiled


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def n_finished(folder):
    try:
        table = (folder / "runs/s/trials.csv").read_text(encoding="utf-8-sig")
    except OSError:
        return 0
    return sum(row["state"] == "complete" for row in csv.DictReader(table.splitlines()))


def states_of(folder):
    return Counter(trial.state for trial in read_trials(f"sqlite:///{folder}/runs/tuner.db", "s"))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_stopped_study_keeps_its_trials_and_continues_to_the_exact_total(tmp_path, number, code):
    table = write_csv(tmp_path / "reviews.csv", make_rows(120))
    line = ["--data", str(table), "--trials", "40", *SMALL, "--study-name", "s"]
    process = subprocess.Popen(
        command(*line, module="tuner.optimize"), cwd=tmp_path, env=environment(),
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, encoding="utf-8",
    )  # fmt: skip
    wait_for(lambda: n_finished(tmp_path) >= 1)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)

    assert process.returncode == code, said
    assert "Traceback" not in said
    if number != signal.SIGKILL:
        assert "To continue:\n  python -m tuner.optimize --data" in said
    kept = states_of(tmp_path)["complete"]
    assert kept >= 1
    line[line.index("40")] = str(kept + 2)
    again = run_tuner(*line, cwd=tmp_path, module="tuner.optimize")

    assert again.returncode == 0, again.stderr
    states = states_of(tmp_path)
    assert states["complete"] == kept + 2
    assert "running" not in states
    assert best_params(tmp_path)["test"]["reads"] == 1


def test_given_test_file_is_honoured_and_its_texts_leave_train(tmp_path):
    rows = make_rows(100)
    table = write_csv(tmp_path / "train.csv", rows[:80] + rows[80:85])
    test = write_csv(tmp_path / "test.csv", rows[80:])

    checked = run_tuner("check", "--data", str(table), "--test", str(test), "--json", cwd=tmp_path)

    report = json.loads(checked.stdout)
    assert report["rows"]["test"] == 20
    assert sum(report["rows"].values()) == 100
    (finding,) = [f for f in report["findings"] if f["kind"] == "test_in_train"]
    assert finding["count"] == 5


def test_collected_parts_are_used_as_they_are(tmp_path):
    table = write_csv(tmp_path / "reviews.csv", make_rows(120))
    collected = run_tuner("collect", "--data", str(table), "--output", "parts", cwd=tmp_path)
    assert collected.returncode == 0, collected.stderr
    manifest = json.loads((tmp_path / "parts/data/manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == {"train": 72, "validation": 18, "selection": 12, "test": 18}

    result = optimize("parts", "--study-name", "s", cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    assert best_params(tmp_path)["data"]["fingerprint"] == manifest["fingerprint"]
    assert (tmp_path / "runs/s/data/train.jsonl").read_bytes() == (
        tmp_path / "parts/data/train.jsonl"
    ).read_bytes()


def test_another_collected_split_of_the_same_table_is_another_study(tmp_path, run_here):
    table = write_csv(tmp_path / "reviews.csv", make_rows(120))
    for seed in ("0", "1"):
        collected = run_here("collect", "--data", str(table), "--set", f"split.seed={seed}",
                             "--output", f"parts{seed}", cwd=tmp_path)  # fmt: skip
        assert collected.returncode == 0, collected.stderr

    def optimize_here(parts, *arguments):
        return run_here("optimize", "--data", parts, "--trials", "4", *SMALL, *arguments,
                        cwd=tmp_path)  # fmt: skip

    first, second = (optimize_here(parts, "--dry-run") for parts in ("parts0", "parts1"))
    begun = optimize("parts0", "--study-name", "s", cwd=tmp_path)
    refused = optimize_here("parts1", "--study-name", "s")
    elsewhere = optimize_here("parts1", "--study-name", "s", "--output", "other",
                              "--storage", "sqlite:///runs/tuner.db")  # fmt: skip

    assert begun.returncode == 0, begun.stderr
    assert json.loads(first.stdout)["study"] != json.loads(second.stdout)["study"]
    for answer in (refused, elsewhere):
        assert answer.returncode == 2
        assert "another split of these rows" in answer.stderr
    assert not (tmp_path / "other/s/data").exists()


def test_textcnn_and_searched_preprocessing_run_through(tmp_path):
    table = write_csv(tmp_path / "reviews.csv", make_rows(120))

    result = optimize(
        table, "--study-name", "s", "--set", "model.backbone=textcnn", "--set", "model.width=4",
        "--set", 'space.preprocess.segmenter={choices=["jieba", "characters"]}',
        "--metric", "log_loss", "--pruner", "hyperband", "--sampler", "random", cwd=tmp_path,
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    best = best_params(tmp_path)
    assert best["objective"]["direction"] == "minimize"
    assert best["params"]["preprocess.segmenter"] in ("jieba", "characters")
    assert "model.pooling_power" not in best["params"]


def test_dry_run_writes_nothing(tmp_path, table):
    result = optimize(table, "--dry-run", cwd=tmp_path)

    shown = json.loads(result.stdout)
    assert shown["data"]["train"] == 36
    assert shown["disk"] == {"cache_limit_bytes": 20 * 10**9, "trials_that_keep_weights": 21}
    assert shown["settings"]["space"]["model.frozen_depth"]["high"] == 2  # embedding, hidden
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.csv"]
