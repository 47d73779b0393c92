"""Trials that hurt the process they run in: the study goes on, and says what happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import psutil
import pytest

from tests import faulty_recipe as faults
from tests.conftest import ROOT
from tests.fake_trainer import NoCheckpoint, NoStore, Quiet
from tests.faulty_recipe import Harm, Patient
from tuner.config import ExecutionSettings, load_settings
from tuner.errors import ConfigError, Interrupted, TrialDied, TrialFailed
from tuner.isolation import Guard
from tuner.records import TrialSeeds, TrialState
from tuner.search import Search, list_studies

SEEDS = TrialSeeds(1, 2, 3)


@pytest.fixture(autouse=True)
def importable_here(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def run_alone(guard, recipe, *, report=None, stop=lambda: None, checkpoint=None):
    return guard.runner(recipe)(
        load_settings(), seeds=SEEDS, report=report or (lambda **_: None),
        stop_requested=stop, checkpoint=checkpoint,
    )  # fmt: skip


def run_study(guard, recipe, tmp_path, *, total=6, **overrides):
    settings = load_settings(
        overrides=[("pruner.name", "none"), ("sampler.name", "random"), *overrides.items()]
    )
    search = Search(
        settings, fingerprint="f" * 64, storage_url=f"sqlite:///{tmp_path}/t.db", study_name="s"
    )
    with closing(search):
        search.run(
            guard.runner(recipe), total=total, progress=Quiet(), stop_requested=lambda: None,
            store=NoStore(),
        )  # fmt: skip
        return search.trials()


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (faults.abort, r"its process was ended by SIGABRT \(Aborted\)"),
        (faults.segmentation_fault, r"its process was ended by SIGSEGV \(Segmentation fault\)"),
        (faults.be_killed, "its process was ended by SIGKILL, as for lack of memory"),
        (faults.leave, "its process ended with exit code 7"),
    ],
)
def test_death_of_the_child_is_told_with_its_cause_and_epoch(deed, words):
    with Guard(ExecutionSettings(isolate=True)) as guard:
        with pytest.raises(TrialDied, match=words) as death:
            run_alone(guard, Harm(deed, epoch=3))
        assert death.value.epoch == 3
        assert run_alone(guard, Harm(deed, epoch=99)).best_epoch == 4


def test_pages_of_a_mapped_file_are_not_the_childs_memory():
    limits = ExecutionSettings(isolate=True, trial_memory_gb=0.5)
    with Guard(limits) as guard:
        assert run_alone(guard, Harm(faults.map_a_file)).best_epoch == 4


def test_child_that_takes_more_memory_than_it_may_is_ended():
    limits = ExecutionSettings(isolate=True, trial_memory_gb=1.0)
    with (
        Guard(limits) as guard,
        pytest.raises(TrialDied, match=r"more than execution\.trial_memory_gb = 1"),
    ):
        run_alone(guard, Harm(faults.take_memory))


def test_child_that_has_grown_is_replaced_before_a_trial_that_has_no_room_left(tmp_path):
    pids = tmp_path / "pids"
    limits = ExecutionSettings(isolate=True, trial_memory_gb=0.6)
    with Guard(limits) as guard:
        run = guard.runner(Harm(faults.hold_more_memory, pids=pids))
        for _ in range(9):  # 900 MB, were they one process's
            run(load_settings(), seeds=SEEDS, report=lambda **_: None, stop_requested=lambda: None)

    used = pids.read_text().split()
    assert len(used) == 9
    assert 2 <= len(set(used)) <= 5


def test_limit_that_leaves_no_room_for_the_libraries_is_refused():
    limits = ExecutionSettings(isolate=True, trial_memory_gb=0.001)
    with (
        Guard(limits) as guard,
        pytest.raises(ConfigError, match=r"trial_memory_gb must leave room .*got 0\.001"),
    ):
        run_alone(guard, Harm(faults.hang))


def test_trial_that_takes_longer_than_it_may_has_failed_even_when_it_hears_nothing():
    with (
        Guard(ExecutionSettings(isolate=True, trial_seconds=0.3)) as guard,
        pytest.raises(TrialFailed, match=r"longer than execution\.trial_seconds = 0\.3"),
    ):
        run_alone(guard, Harm(faults.hang))


def test_one_child_serves_trials_and_outlives_one_that_was_stopped(tmp_path):
    pids, began = tmp_path / "pids", tmp_path / "began"

    def stop_when_begun():
        if began.exists():
            raise Interrupted(signal.SIGTERM)

    with Guard(ExecutionSettings(isolate=True)) as guard:
        run_alone(guard, Harm(faults.hang, epoch=99, pids=pids))
        with pytest.raises(Interrupted):
            run_alone(guard, Patient(30.0, began), stop=stop_when_begun)
        run_alone(guard, Harm(faults.hang, epoch=99, pids=pids))
        first, second = pids.read_text().split()
        assert first == second == began.read_text()


def test_time_during_which_the_storage_is_waited_for_is_not_the_trials():
    with Guard(ExecutionSettings(isolate=True, trial_seconds=1.0)) as guard:
        outcome = run_alone(guard, Harm(faults.hang, epoch=99), report=lambda **_: time.sleep(0.5))
    assert outcome.best_epoch == 4


def test_bug_in_a_trial_comes_out_with_its_traceback():
    with (
        Guard(ExecutionSettings(isolate=True)) as guard,
        pytest.raises(LookupError, match="planted") as bug,
    ):
        run_alone(guard, Harm(faults.go_wrong))
    assert "faulty_recipe.py" in "".join(bug.value.__notes__)


def test_child_sees_no_password(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTUNA_STORAGE", "postgresql://ann:secret@db/t")
    monkeypatch.setenv("PGPASSWORD", "secret")
    pids = tmp_path / "pids"
    with Guard(ExecutionSettings(isolate=True)) as guard:
        run_alone(guard, Harm(faults.hang, epoch=99, pids=pids))
        seen = psutil.Process(int(pids.read_text())).environ()
    assert "secret" not in str(seen)


def test_child_ends_when_its_guard_is_killed(tmp_path):
    began = tmp_path / "began"
    program = (
        "import sys; from pathlib import Path; from tests.unit.isolation.test_guard import *;"
        "guard = Guard(ExecutionSettings(isolate=True));"
        "run_alone(guard, Patient(60.0, Path(sys.argv[1])))"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(began)], cwd=ROOT)
    _wait_for(lambda: began.exists() and began.read_text())
    child = psutil.Process(int(began.read_text()))
    parent.kill()
    parent.wait()

    child.wait(10)
    assert not psutil.pid_exists(child.pid)


def _wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_trial_whose_process_died_runs_again_with_the_same_parameters(tmp_path):
    harm = Harm(faults.segmentation_fault, marks=tmp_path / "marks", times=2)
    with Guard(ExecutionSettings(isolate=True)) as guard:
        trials = run_study(guard, harm, tmp_path)

    finished = [trial for trial in trials if trial.state == "complete"]
    retried = [trial for trial in trials if trial.is_retried]
    assert (len(finished), len(retried), len(trials)) == (6, 2, 8)
    assert [trial.attributes["deaths"] for trial in trials[1:3]] == [[3], [3, 3]]
    assert "SIGSEGV (Segmentation fault) in epoch 3" in retried[0].attributes["failure"]
    assert trials[2].origin == 0
    assert trials[2].params == trials[0].params
    assert trials[2].intermediate.keys() == {1, 2, 3, 4}


def test_configuration_that_kills_three_times_in_one_epoch_is_set_aside(tmp_path, caplog):
    harm = Harm(faults.abort, above_dropout=0.5)
    with Guard(ExecutionSettings(isolate=True)) as guard:
        trials = run_study(guard, harm, tmp_path, total=8, **{"study.seed": 3})

    assert sum(trial.state == "complete" for trial in trials) == 8
    aside = [trial for trial in trials if trial.is_set_aside]
    assert aside
    for trial in aside:
        assert not trial.is_retried
        assert trial.params["model.dropout"] > 0.5
        assert [t.is_retried for t in trials if t.origin == trial.origin] == [True, True, False]
        assert trial.attributes["failure"].startswith("set aside after 3 deaths in one epoch")
    (study,) = list_studies(f"sqlite:///{tmp_path}/t.db")
    assert [row["trial"] for row in study["set_aside"]] == [trial.number for trial in aside]
    assert study["failed"] == len(aside)


def test_proposal_equal_to_one_set_aside_is_not_run(tmp_path):
    pids = tmp_path / "pids"
    harm = Harm(faults.abort, above_dropout=0.4, pids=pids)
    only = dict.fromkeys(load_settings().space, "off")
    overrides = {f"space.{name}": off for name, off in only.items() if name != "model.dropout"}
    with Guard(ExecutionSettings(isolate=True)) as guard:
        trials = run_study(
            guard, harm, tmp_path, total=2,
            # With this seed 0.45 is drawn three times before 0.3 is.
            **{**overrides, "study.seed": 2, "space.model.dropout": {"choices": [0.3, 0.45]}},
        )  # fmt: skip

    assert sum(trial.state == "complete" for trial in trials) == 2
    (aside,) = [trial for trial in trials if trial.is_set_aside]
    refused = [trial for trial in trials if trial.number > aside.number and trial.value is None]
    assert [trial.attributes["failure"] for trial in refused] == 2 * [
        f"the same as trial {aside.number}, which was set aside"
    ]
    assert len(pids.read_text().split()) == 1 + 3


class Kept(NoCheckpoint):
    def load(self):
        return TrialState({}, {}, epoch=5)


def test_epoch_of_a_death_counts_what_the_checkpoint_had_already():
    with Guard(ExecutionSettings(isolate=True)) as guard, pytest.raises(TrialDied) as death:
        run_alone(guard, Loading(), checkpoint=Kept())
    assert death.value.epoch == 6


class Loading:
    def make(self):
        return load_and_die


def load_and_die(settings, *, checkpoint, **_):
    assert checkpoint.load().epoch == 5
    os.abort()


@pytest.mark.parametrize("name", ["trial_seconds", "trial_memory_gb"])
def test_limits_need_a_process_apart(name):
    with pytest.raises(ConfigError, match=f"`?{name}`? needs `isolate`"):
        load_settings(overrides=[(f"execution.{name}", 5)])


def test_how_trials_are_run_does_not_make_another_study():
    from tuner.config import settings_digest

    isolated = load_settings(overrides=[("execution.isolate", True)])
    assert settings_digest(isolated) == settings_digest(load_settings())
