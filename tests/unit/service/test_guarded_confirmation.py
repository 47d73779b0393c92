"""Confirmation runs that hurt the process they run in: that run is lost, nothing else."""

from __future__ import annotations

import math
from contextlib import closing
from types import SimpleNamespace

import pytest

from tests import faulty_recipe as faults
from tests.conftest import ROOT
from tests.fake_trainer import NoStore, Quiet, run_fake, value_of
from tests.faulty_recipe import Harm
from tuner.config import ExecutionSettings, apply_params, load_settings
from tuner.records import Document, SearchParts
from tuner.search import Search, top_trials
from tuner.service.confirm import ConfirmationPlan, confirm
from tuner.service.runners import runners

PLAN = ConfirmationPlan(top=3, seeds=2)


class Watcher:
    def __init__(self):
        self.values = []

    def confirmation_started(self, n_runs, n_done, seconds_left):
        pass

    def confirmation_run_finished(self, trial, repetition, value, seconds):
        self.values.append(value)


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = load_settings(overrides=[("pruner.name", "none"), ("sampler.name", "random")])
    search = Search(
        settings, fingerprint="f" * 64, storage_url=f"sqlite:///{tmp_path}/t.db", study_name="s"
    )
    with closing(search):
        search.run(
            run_fake, total=6, progress=Quiet(), stop_requested=lambda: None, store=NoStore()
        )
        yield search


def run_confirmation(search, folder, recipe, **limits):
    rows = tuple(Document(f"text {number}", "x", "a.csv", number) for number in range(2_000))
    parts = SearchParts(rows[:1], rows[:1], rows, ("x",), "f" * 64, 1)
    results = SimpleNamespace(settings=search.settings, parts=parts, folder=folder)
    watcher = Watcher()
    with runners(ExecutionSettings(isolate=True, **limits), lambda: None) as make_runner:
        found = confirm(
            search, results, PLAN, runner=lambda: make_runner(recipe, recipe.make),
            progress=watcher, stop_requested=lambda: None,
        )  # fmt: skip
    return found, watcher.values


def best_three(search):
    best = top_trials(search.trials(), "maximize", 3)
    return best, [value_of(apply_params(search.settings, trial.params)) for trial in best]


def test_death_costs_one_attempt_and_the_confirmation_goes_on(search, tmp_path, caplog):
    harm = Harm(faults.segmentation_fault, marks=tmp_path / "marks", times=2)

    found, _ = run_confirmation(search, tmp_path, harm)

    best, values = best_three(search)
    assert found.winner.trial == best[0]
    assert [contender.values for contender in found.contenders] == [(v, v) for v in values]
    assert found.lost == ()
    assert caplog.text.count("runs again: its process was ended by SIGSEGV") == 2


def test_trial_that_takes_too_long_when_run_again_leaves_and_the_others_go_on(search, tmp_path):
    best, _ = best_three(search)
    dropouts = [trial.params["model.dropout"] for trial in best]
    harm = Harm(faults.hang, above_dropout=math.nextafter(max(dropouts), 0.0))

    found, heard = run_confirmation(search, tmp_path, harm, trial_seconds=2.0)

    out = dropouts.index(max(dropouts))
    assert [run.trial for run in found.lost] == [best[out].number]
    assert "longer than execution.trial_seconds = 2" in found.as_json()["lost_runs"][0]["reason"]
    assert [contender.trial for contender in found.contenders] == best[:out] + best[out + 1 :]
    assert heard.count(None) == 1


def test_when_no_trial_survives_it_is_said_and_not_tried_again(search, tmp_path, caplog):
    pids = tmp_path / "pids"
    harm = Harm(faults.abort, pids=pids)

    assert run_confirmation(search, tmp_path, harm) == (None, [None] * 3)
    assert "none of 3 trials could be confirmed" in caplog.text
    assert len(pids.read_text().split()) == 9  # three deaths each
    run_confirmation(search, tmp_path, harm)
    assert len(pids.read_text().split()) == 9
