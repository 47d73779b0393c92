"""Several processes share a study: on one machine, and over the database alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import psutil

from tests.conftest import ROOT, SMALL, command, environment, make_rows, run_tuner, write_csv
from tests.end_to_end.catching import SLOW, catch_in_a_trial
from tuner.search import read_trials

DATA = ("--data", "reviews.csv", "--study-name", "s")


def status(folder, **extra):
    (study,) = json.loads(run_tuner("status", "--json", cwd=folder, **extra).stdout)
    return study


def test_submitted_study_is_run_by_a_worker_that_has_only_the_storage(tmp_path):
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    write_csv(home / "reviews.csv", make_rows(120))
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    options = [option for option in SMALL if option not in ("--confirm", "none")]
    small = [*DATA, "--trials", "3", *_as_settings(options)]

    submitted = run_tuner("submit", *small, cwd=home, OPTUNA_STORAGE=storage)
    assert submitted.returncode == 0, submitted.stderr
    assert "0 of 3 trials" in submitted.stdout
    worked = run_tuner("worker", cwd=away, OPTUNA_STORAGE=storage)
    assert worked.returncode == 0, worked.stderr
    assert "this worker has run 3" in worked.stderr
    assert not list(away.rglob("*test*"))

    found = status(home, OPTUNA_STORAGE=storage)
    assert (found["finished"], found["total"], found["workers"]) == (3, 3, [])
    fewer = run_tuner("submit", *small, "--trials", "2", cwd=home, OPTUNA_STORAGE=storage)
    assert "3 trials are finished and 0 running, where 2 were asked for" in fewer.stdout
    ended = run_tuner(
        "optimize", *small, "--confirm", "none", "--json", cwd=home, OPTUNA_STORAGE=storage
    )
    assert ended.returncode == 0, ended.stderr
    best = json.loads(ended.stdout)
    assert best["trials"]["complete"] == 3
    assert best["test"]["reads"] == 1


def test_only_what_trains_loads_tensorflow(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(120))
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'tuner.isolation.child' not in sys.orig_argv:\n"
        "    sys.modules['tensorflow'] = None  # importing it raises\n"
    )
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    small = _as_settings([option for option in SMALL if option not in ("--confirm", "none")])

    shown = run_tuner("optimize", *DATA, "--dry-run", cwd=tmp_path, **path)
    submitted = run_tuner("submit", *DATA, "--trials", "1", *small, cwd=tmp_path, **path)
    guarded = run_tuner("worker", "--isolate", cwd=tmp_path, **path)

    for result in (shown, submitted, guarded):
        assert result.returncode == 0, result.stderr
    assert status(tmp_path, **path)["finished"] == 1


def _as_settings(options):
    """The shared small settings in words that `submit` has too."""
    names = {"--epochs": "training.epochs", "--fine-tune-epochs": "training.fine_tune_epochs"}
    words = iter(options)
    for word in words:
        if word in names:
            yield from ("--set", f"{names[word]}={next(words)}")
        else:
            yield word


def test_local_workers_keep_the_total_when_one_is_killed(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(120))
    line = command("optimize", *DATA, "--trials", "8", "--workers", "2", *SMALL, *SLOW)
    process = subprocess.Popen(
        line, cwd=tmp_path, env=environment(), text=True, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    catch_in_a_trial(process, f"sqlite:///{tmp_path}/runs/tuner.db").kill()
    said = process.communicate(timeout=400)[0]

    assert process.returncode == 0, said
    found = status(tmp_path)
    assert (found["finished"], found["failed"], found["running"]) == (8, 0, 0)
    assert found["retried"] == 1
    assert not [p for p in psutil.process_iter() if _is_worker_of(p, process.pid)]
    best = json.loads((tmp_path / "runs/s/best_params.json").read_text(encoding="utf-8"))
    assert best["outcome"] == "complete"


def _is_worker_of(process, parent):
    try:
        return process.ppid() == parent
    except psutil.NoSuchProcess:
        return False


def test_files_in_the_users_folder_are_not_taken_for_modules(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    (tmp_path / "tuner").mkdir()
    for name in ("tuner/__init__.py", "random.py", "tokenize.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong one')\n")
    script = tmp_path / "bin" / "tuner"  # as pip writes it
    script.parent.mkdir()
    script.write_text("from tuner.__main__ import main\nmain()\n")

    result = subprocess.run(
        [sys.executable, str(script), "optimize", *DATA, "--trials", "1", *SMALL, "--workers",
         "1", "--isolate"],
        cwd=tmp_path, env=environment(), text=True, encoding="utf-8", capture_output=True,
        timeout=300, check=False,
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    (trial,) = read_trials(f"sqlite:///{tmp_path}/runs/tuner.db", "s")
    assert trial.state == "complete"


def test_worker_whose_code_differs_refuses_with_the_difference(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    assert run_tuner("submit", *DATA, cwd=tmp_path).returncode == 0
    _write_attribute(tmp_path, "terms:code", {"tuner": "0.0.1"})

    refused = run_tuner("worker", "--study-name", "s", cwd=tmp_path)

    assert refused.returncode == 2
    assert "tuner is 0.0.1 there, 0.1.0 here" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_worker_whose_data_differ_refuses_with_the_difference(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    assert run_tuner("submit", *DATA, cwd=tmp_path).returncode == 0
    part = tmp_path / "runs/s/data/train.jsonl"
    part.write_text(part.read_text("utf-8").replace("房间", "房問"), "utf-8")

    refused = run_tuner("worker", "--study-name", "s", cwd=tmp_path)

    assert refused.returncode == 2
    assert "was made with other data: the digest of its parts is" in refused.stderr


def test_worker_without_the_shared_folder_says_what_is_missing(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    run_tuner("submit", *DATA, "--blobs", "folder", cwd=tmp_path, OPTUNA_STORAGE=storage)

    refused = run_tuner("worker", "--output", "elsewhere", cwd=tmp_path, OPTUNA_STORAGE=storage)

    assert refused.returncode == 2
    assert "--blobs database" in refused.stderr


def _write_attribute(folder, name, value):
    from tuner.search import close_storage, open_storage

    storage = open_storage(f"sqlite:///{folder / 'runs/tuner.db'}", create=True)
    storage.set_study_user_attr(storage.get_study_id_from_name("s"), name, value)
    close_storage(storage)


def test_line_to_follow_a_submitted_study_names_its_storage(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))

    submitted = run_tuner("submit", *DATA, "--storage", "sqlite:///other.db", cwd=tmp_path)
    line = submitted.stdout.splitlines()[-1]

    assert line == "Follow it with: tuner status --watch --storage sqlite:///other.db"


def test_worker_that_waits_may_be_there_before_the_first_study(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    worker = subprocess.Popen(
        command("worker", "--wait"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE,
        text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        assert "waiting for a study" in worker.stderr.readline()
        small = _as_settings([option for option in SMALL if option not in ("--confirm", "none")])
        submitted = run_tuner("submit", *DATA, "--trials", "1", *small, cwd=tmp_path)
        assert submitted.returncode == 0, submitted.stderr
        end = time.monotonic() + 400
        while status(tmp_path)["finished"] < 1 and time.monotonic() < end:
            assert worker.poll() is None
            time.sleep(1)
        assert status(tmp_path)["finished"] == 1
    finally:
        worker.terminate()
        _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 143, errors


def test_worker_without_a_study_and_without_wait_says_so(tmp_path):
    result = run_tuner("worker", cwd=tmp_path)

    assert result.returncode == 2
    assert "there is no such file" in result.stderr
