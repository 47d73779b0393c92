"""`--isolate`: the real trainer in guarded children that die, are stopped, or take too much."""

from __future__ import annotations

import json
import os
import signal
import subprocess

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv
from tests.end_to_end.catching import SLOW, catch_in_a_trial
from tuner.search import read_trials

LINE = ("--data", "reviews.csv", "--study-name", "s", *SMALL, *SLOW, "--isolate")


def start(folder, *more):
    write_csv(folder / "reviews.csv", make_rows(120))
    return subprocess.Popen(
        command("optimize", *LINE, *more), cwd=folder, env=environment(), text=True,
        encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def storage(folder):
    return f"sqlite:///{folder}/runs/tuner.db"


def test_study_outlives_the_death_of_a_child_and_its_trials_are_those_of_any_process(tmp_path):
    process = start(tmp_path, "--trials", "3")
    child = catch_in_a_trial(process, storage(tmp_path), child=True)
    child.send_signal(signal.SIGSEGV)
    child.resume()
    said = process.communicate(timeout=400)[0]

    assert process.returncode == 0, said
    (study,) = json.loads(run_tuner("status", "--json", cwd=tmp_path).stdout)
    assert (study["finished"], study["failed"], study["running"]) == (3, 0, 0)
    assert study["set_aside"] == []
    (retry,) = [t for t in read_trials(storage(tmp_path), "s") if t.origin != t.number]
    replayed = run_tuner("replay", "s", str(retry.number), "--json", cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["are_bits_equal"]


def test_signal_ends_an_isolated_run_with_its_child_and_hands_the_trial_back(tmp_path):
    process = start(tmp_path, "--trials", "40", "--workers", "2")
    child = catch_in_a_trial(process, storage(tmp_path), child=True)
    child.resume()
    os.kill(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=60)[0]

    assert process.returncode == 143, said
    assert "To continue:" in said
    assert "Traceback" not in said
    assert not child.is_running()
    (study,) = json.loads(run_tuner("status", "--json", cwd=tmp_path).stdout)
    assert study["running"] == 0
    assert study["failed"] == 0


def test_limits_without_isolation_are_refused(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))

    refused = run_tuner("optimize", "--data", "reviews.csv", "--trial-memory", "2", cwd=tmp_path)

    assert refused.returncode == 2
    assert "`trial_memory_gb` needs `isolate` (--isolate)" in refused.stderr
    worker = run_tuner("worker", "--trial-seconds", "5m", cwd=tmp_path)
    assert worker.returncode == 2
    assert "got 300 without it" in worker.stderr


def test_memory_limit_without_room_for_the_libraries_is_refused_before_any_trial(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))

    refused = run_tuner(
        "optimize", "--data", "reviews.csv", "--trials", "2", *SMALL, "--isolate",
        "--trial-memory", "0.01", cwd=tmp_path,
    )  # fmt: skip

    assert refused.returncode == 2, refused.stderr
    assert "execution.trial_memory_gb must leave room" in refused.stderr
    (study,) = json.loads(run_tuner("status", "--json", cwd=tmp_path).stdout)
    assert (study["running"], study["failed"], study["finished"]) == (0, 0, 0)
