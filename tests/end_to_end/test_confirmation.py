"""Confirmation, intervals and verdict through the real command."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time

import psutil
import pytest

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv

# By macro-F1 every trial on these rows is perfect; by log loss the last one is the best.
ARGUMENTS = ("--trials", "3", *SMALL, "--study-name", "s", "--metric", "log_loss",
             "--confirm", "2:3")  # fmt: skip


def arguments(table):
    return ("optimize", "--data", str(table), *ARGUMENTS)


def read(folder, name):
    return json.loads((folder / "runs" / "s" / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("confirmed")
    table = write_csv(folder / "reviews.csv", make_rows(120))
    result = run_tuner(*arguments(table), cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder, table, result


def test_winner_has_the_best_mean_over_fresh_seeds(confirmed):
    folder, _, result = confirmed
    best = read(folder, "best_params.json")
    found = best["confirmation"]

    assert found["kind"] == "cross_validation"  # 120 rows are too few to rank on one part
    values = {row["trial"]: row["values"] for row in found["trials"]}
    assert list(values) == [2, 1, 0]  # the best two of the search, and the default settings
    assert [row["dropped"] for row in found["trials"]] == [False, False, True]
    assert [len(each) for each in values.values()] == [3, 3, 2]
    assert (found["top"], found["seeds"], found["runs"]) == (2, 3, 8)
    means = {trial: sum(each) / len(each) for trial, each in values.items()}
    assert {row["trial"]: row["mean"] for row in found["trials"]} == pytest.approx(means)
    assert best["trial"] == min(means, key=lambda trial: means[trial])
    assert found["winner_mean"] == pytest.approx(means[best["trial"]])
    runs = zip(values[2], values[1], strict=True)
    assert all(value in column for value, column in zip(found["values"], runs, strict=True))
    assert found["mean"] == pytest.approx(sum(found["values"]) / 3)
    assert 0 < found["optimism"] == pytest.approx(found["mean"] - best["objective"]["value"])
    first = min(trials_of(folder), key=lambda row: float(row["value"]))
    assert best["search_best"] == {"trial": int(first["number"]), "value": float(first["value"])}
    assert "8 runs, about" in result.stderr


def trials_of(folder):
    table = (folder / "runs/s/trials.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(table.splitlines()))


def test_confirmation_in_a_guarded_child_that_is_killed_once_gives_the_same(confirmed, tmp_path):
    folder, table, _ = confirmed
    process = subprocess.Popen(
        command(*arguments(table), "--isolate"), cwd=tmp_path, env=environment(), text=True,
        stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    for line in process.stderr:
        if "confirming trial" in line:
            (child,) = [
                found
                for found in psutil.Process(process.pid).children()
                if "tuner.isolation.child" in found.cmdline()
            ]
            child.send_signal(signal.SIGSEGV)
            break
    rest = process.communicate(timeout=200)[1]

    assert process.returncode == 0, rest
    assert "runs again: its process was ended by SIGSEGV" in rest
    here, there = (read(where, "best_params.json")["confirmation"] for where in (folder, tmp_path))
    assert there.pop("seconds") > 0
    assert here.pop("seconds") > 0
    assert there == here


def test_every_headline_has_an_interval_a_baseline_and_a_verdict(confirmed):
    folder, _, result = confirmed
    best = read(folder, "best_params.json")

    for score in ("accuracy", "macro_f1", "weighted_f1", "mcc", "log_loss"):
        interval = best["test"]["intervals"][score]
        assert interval["low"] <= best["test"][score] <= interval["high"]
    is_default = best["trial"] == 0
    for name in ("tfidf_words", "tfidf_characters", "default"):
        scores = best["baselines"][name]["test"]
        interval = scores["intervals"]["macro_f1"]
        assert interval["low"] < scores["macro_f1"] <= interval["high"]
        # A model is not compared with itself.
        comparison = best["baselines"][name].get("winner_minus_this")
        assert (comparison is None) == (is_default and name == "default")
        if comparison is not None:
            assert comparison["macro_f1"]["p_adjusted"] >= comparison["macro_f1"]["p"]
    assert best["verdict"]["numbers"]["winner_is_default"] == is_default
    assert ("nothing better than the untuned default" in best["verdict"]["sentence"]) == is_default
    assert best["verdict"]["sentence"] in result.stdout
    assert best["verdict"]["sentence_zh"] in result.stdout
    # Its words tell a linear model all, so nothing is left to gain.
    assert best["verdict"]["advice"] is None
    assert "Next step" not in result.stdout
    assert best["test"]["reads"] == 1


def test_report_has_slices_calibration_and_importances(confirmed):
    folder, _, _ = confirmed
    report = read(folder, "report.json")

    assert report["slices"]["test"]["n"] == 18
    assert report["calibration"]["temperature"] > 0
    assert report["importances"]["reason"]  # three trials tell nothing of importance
    assert report["verdict"] == read(folder, "best_params.json")["verdict"]


def test_doubted_labels_are_listed_beside_the_report(tmp_path):
    rows = make_rows(400)
    flipped = [(f"={text}", {"正面": "负面", "负面": "正面"}[label]) for text, label in rows[:12]]
    table = write_csv(tmp_path / "reviews.csv", flipped + rows[12:])

    result = run_tuner("optimize", "--data", str(table), "--trials", "1", *SMALL,
                       "--study-name", "s", cwd=tmp_path)  # fmt: skip

    assert result.returncode == 0, result.stderr
    listed = (tmp_path / "runs/s/label_suspects.csv").read_text(encoding="utf-8-sig")
    doubted = list(csv.DictReader(listed.splitlines()))
    assert doubted
    assert all(row["text"].startswith("'=") for row in doubted)  # no formula for a spreadsheet
    report = read(tmp_path, "report.json")
    assert report["edges"] == []  # trial 0 starts where it starts: nothing was found at an edge
    assert "lies at the lower edge" not in result.stderr
    noise = report["label_noise"]
    assert noise["n"] == len(doubted) == len(noise["rows"])
    data = read(tmp_path, "best_params.json")["data"]
    assert noise["n_judged"] == data["train"] + data["validation"] + data["selection"]
    assert noise["rows"][0]["suggested_label"] != noise["rows"][0]["given_label"]


def test_same_line_again_does_nothing_and_another_confirmation_goes_on(confirmed):
    folder, table, _ = confirmed

    assert "nothing to do" in run_tuner(*arguments(table), cwd=folder).stdout

    more = run_tuner(*arguments(table)[:-1], "2:4", cwd=folder)
    assert more.returncode == 0, more.stderr
    assert read(folder, "best_params.json")["confirmation"]["runs"] == 11
    assert more.stderr.count("confirming trial") == 3  # the eight finished ones are not run again


def test_interrupted_confirmation_goes_on_where_it_was(tmp_path):
    table = write_csv(tmp_path / "reviews.csv", make_rows(120))
    process = subprocess.Popen(
        command(*arguments(table)[:-1], "2:6"), cwd=tmp_path, env=environment(), text=True,
        stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    for line in process.stderr:
        if "confirming trial" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    done = 1 + rest.count("confirming trial")
    assert read(tmp_path, "best_params.json")["test"]["reads"] == 0

    again = run_tuner(*arguments(table)[:-1], "2:6", cwd=tmp_path)

    assert again.returncode == 0, again.stderr
    best, later = read(tmp_path, "best_params.json"), again.stderr.count("confirming trial")
    assert later > 0
    assert best["confirmation"]["runs"] == done + later
    assert best["test"]["reads"] == 1


def test_budget_too_small_ends_the_search_and_says_so(table, tmp_path):
    started = time.monotonic()
    result = run_tuner(
        "optimize", "--data", str(table), "--trials", "500", *SMALL, "--study-name", "s",
        "--confirm", "none", "--budget", "5s", cwd=tmp_path,
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    assert read(tmp_path, "best_params.json")["outcome"] == "budget"
    assert read(tmp_path, "best_params.json")["confirmation"] is None
    assert time.monotonic() - started < 120
