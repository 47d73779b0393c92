"""What a study must do on every storage: SQLite and a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from tests.fake_trainer import NoStore, Quiet, run_fake, value_of
from tuner import records
from tuner.config import apply_params, load_settings
from tuner.errors import ConfigError, Interrupted, TooManyFailures, TrialFailed
from tuner.records import Spent
from tuner.search import (
    Search,
    StudyTerms,
    close_storage,
    list_studies,
    open_storage,
    open_studies,
    read_trials,
)
from tuner.search.enduring import EnduringStorage
from tuner.search.owner import claiming_owner
from tuner.search.space import distributions
from tuner.search.urls import parse_url
from tuner.service.weights import BlobTrials

OPENED = []


@pytest.fixture(autouse=True)
def close_all():
    yield
    while OPENED:
        OPENED.pop().close()


def search(url, *, fingerprint="f" * 64, name="s", overrides=()):
    settings = load_settings(overrides=[("pruner.name", "none"), *overrides])
    OPENED.append(Search(settings, fingerprint=fingerprint, storage_url=url, study_name=name))
    return OPENED[-1]


def run(study, total, *, run_trial=run_fake, stop=lambda: None):
    return study.run(
        run_trial, total=total, progress=Quiet(), stop_requested=stop,
        store=NoStore(),
    )  # fmt: skip


def test_study_ends_with_exactly_the_trials_asked_for_and_can_grow(url):
    study = search(url)
    assert run(study, 5) == "complete"
    assert study.counts()["finished"] == 5

    again = search(url)
    assert not again.is_new
    run(again, 5)
    assert again.counts()["finished"] == 5
    run(again, 8)
    assert again.counts() == {
        "finished": 8, "complete": 8, "pruned": 0, "failed": 0, "retried": 0, "running": 0,
    }  # fmt: skip


def test_first_trial_runs_the_default_settings(url):
    study = search(url)
    run(study, 1)

    (first,) = study.trials()
    assert first.params["training.learning_rate"] == study.settings.training.learning_rate
    assert first.params["model.dropout"] == study.settings.model.dropout
    assert first.params["regularization.l1"] == 1e-8  # "off", moved into the range


def test_continued_study_equals_one_that_ran_through(url, tmp_path):
    straight = search(f"sqlite:///{tmp_path / 'other.db'}")
    run(straight, 14)
    run(search(url), 6)
    run(search(url), 14)

    def results(study):
        return [(t.number, t.value, t.params, t.intermediate) for t in study.trials()]

    assert results(search(url)) == results(straight)


def test_interrupted_trial_is_closed_and_run_again_with_its_parameters(url):
    checks = iter(range(1000))

    def stop():
        if next(checks) == 13:  # in the third trial: one check before it, one an epoch
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        run(search(url), 5, stop=stop)
    assert search(url).counts() == {
        "finished": 2, "complete": 2, "pruned": 0, "failed": 0, "retried": 1, "running": 0,
    }  # fmt: skip
    run(search(url), 5)

    study = search(url)
    cut_off = next(trial for trial in study.trials() if trial.is_retried)
    again = next(t for t in study.trials() if t.origin == cut_off.number and t != cut_off)
    assert again.params == cut_off.params
    assert again.state == "complete"
    assert study.counts()["finished"] == 5


def test_second_ctrl_c_costs_the_study_no_configuration(url):
    def impatient(epoch):
        raise KeyboardInterrupt  # what the handler of signals raises for a second one

    study = search(url)
    with pytest.raises(KeyboardInterrupt):
        run(study, 2, run_trial=lambda *a, **k: run_fake(*a, **k, before_epoch=impatient))
    assert (study.counts()["retried"], study.counts()["failed"]) == (1, 0)
    run(study, 2)

    # The default settings are still among the trials, which the report compares the best with.
    default = next(trial for trial in study.trials() if trial.state == "complete")
    assert default.origin == 0
    assert default.attributes["default"]


def test_study_made_anew_under_the_same_name_does_not_go_on_from_states_of_the_deleted_one(url):
    def found_and_stopped(settings, *, checkpoint, **_):
        states.append(checkpoint.load())
        checkpoint.save(records.TrialState({"w": np.zeros(1)}, {}, epoch=1))
        raise Interrupted(15)

    def begin():
        study = search(url)
        blobs = BlobTrials(study.table_blobs(), n_kept=1)
        with pytest.raises(Interrupted):
            study.run(found_and_stopped, total=3, progress=Quiet(), stop_requested=lambda: None,
                      store=blobs)  # fmt: skip
        return study

    states = []
    begin()
    first = begin()
    optuna.delete_study(study_name="s", storage=first._storage)
    begin()
    begin()

    assert [state is not None for state in states] == [False, True, False, True]


def die_in_epoch(url, epoch):
    def kill(now):
        if now == epoch:
            os.kill(os.getpid(), 9)

    run(search(url), 6, run_trial=lambda *a, **k: run_fake(*a, **k, before_epoch=kill))


def test_killed_process_leaves_no_running_trial_and_loses_no_finished_one(url):
    run(search(url), 2)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=die_in_epoch, args=(url, 3))
    process.start()
    process.join(60)
    assert process.exitcode == -9

    study = search(url)
    assert study.n_reaped == 1
    run(study, 6)

    counts = study.counts()
    assert (counts["finished"], counts["running"], counts["retried"]) == (6, 0, 1)
    reaped = next(trial for trial in study.trials() if trial.is_retried)
    retry = next(t for t in study.trials() if t.origin == reaped.origin and t.state == "complete")
    assert retry.params == reaped.params
    assert sorted(reaped.intermediate) == [1, 2]  # killed in the third epoch


def work(url, total):
    run(search(url), total)


def test_two_processes_started_at_once_make_one_study_with_the_exact_total(url):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(url, 12)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    assert [process.exitcode for process in processes] == [0, 0]
    (study,) = list_studies(url)
    assert (study["finished"], study["running"]) == (12, 0)


def test_same_name_with_other_settings_or_data_is_refused_with_the_difference(url):
    search(url)

    with pytest.raises(ConfigError, match=r"training.batch_size is 64 there, 32 here"):
        search(url, overrides=[("training.batch_size", 32)])
    with pytest.raises(ConfigError, match="other data"):
        search(url, fingerprint="0" * 64)


def test_database_with_another_programs_table_of_the_same_name_is_refused_in_one_line(url):
    engine = sqlalchemy.create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE studies (title TEXT)"))

    with pytest.raises(ConfigError, match="has another program's table 'studies'"):
        search(url)

    assert sqlalchemy.inspect(engine).get_table_names() == ["studies"]
    engine.dispose()


def test_studies_that_need_trials_are_found_without_reading_their_trials(url, monkeypatch):
    for name, total, closed in (("done", 2, ""), ("open", 3, ""), ("closed", 3, "timeout")):
        study = search(url, name=name)
        study.set_terms(StudyTerms(total, "folder", "", {}, closed=closed))
        run(study, 2)

    def read(*_):
        raise AssertionError("a worker would read all of ten thousand trials for each of its own")

    monkeypatch.setattr(EnduringStorage, "_get_trials", read)

    assert list(open_studies(url)) == ["open"]


def test_study_that_somebody_has_asked_more_of_stays_open_when_the_smaller_run_ends(url):
    small = search(url)
    small.set_terms(StudyTerms(2, "folder", "", {"tuner": "1"}))
    run(small, 2)
    large = search(url)
    large.set_terms(StudyTerms(5, "folder", "", {"tuner": "2"}))

    assert not small.close_to_workers("complete")
    assert list(open_studies(url)) == ["s"]
    run(large, 5)
    assert large.close_to_workers("complete")

    assert small.terms() == StudyTerms(5, "folder", "", {"tuner": "2"}, closed="complete")
    assert not open_studies(url)


def test_early_end_waits_for_the_trials_of_other_processes_and_lets_them_start_none(url):
    study, other = search(url), search(url)
    study.set_terms(StudyTerms(9, "folder", "", {}))
    owner = claiming_owner()
    running = other._claim(9, owner)
    seen = []

    def stop():
        seen.append((study.terms().closed, study.counts()["running"]))
        if len(seen) == 3:
            other._storage.finish_trial(
                running._trial_id, state=TrialState.COMPLETE, value=0.5, attributes={},
                owner=owner,
            )  # fmt: skip

    outcome = study.run(
        run_fake, total=9, progress=Quiet(), stop_requested=stop, store=NoStore(),
        ends_early=lambda _: "timeout",
    )  # fmt: skip

    assert outcome == "timeout"
    assert seen == [("", 1), ("timeout", 1), ("timeout", 1)]
    assert study.counts()["complete"] == 1


def test_study_made_by_another_program_is_left_alone(url):
    storage = open_storage(url, create=True)
    foreign = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    foreign.add_trial(optuna.create_trial(state=TrialState.COMPLETE, value=1.0))

    with pytest.raises(ConfigError, match="did not make"):
        search(url)
    close_storage(storage)


def test_equal_proposal_takes_the_finished_value_over(url):
    overrides = [
        (f"space.{name}", "off")
        for name in load_settings().space
        if name not in ("model.frozen_depth", "model.dropout")
    ]
    overrides += [("space.model.dropout", {"choices": [0.3]}), ("sampler.name", "random")]
    study = search(url, overrides=overrides)
    run(study, 8)  # at most 3 different configurations

    copies = [t for t in study.trials() if "duplicate_of" in t.attributes]
    by_number = {trial.number: trial for trial in study.trials()}
    assert len(copies) >= 5
    for copy in copies:
        original = by_number[copy.attributes["duplicate_of"]]
        assert copy.params == original.params
        assert copy.value == original.value
    assert study.counts()["complete"] == 8


def failing(reason, every=1):
    calls = iter(range(1000))

    def run_trial(settings, **arguments):
        if next(calls) % every == 0:
            raise TrialFailed(reason)
        return run_fake(settings, **arguments)

    return run_trial


def test_failed_trial_says_why_and_the_study_goes_on(url):
    study = search(url)
    run(study, 3, run_trial=failing("diverged: the loss is nan", every=3))

    counts = study.counts()
    assert (counts["finished"], counts["failed"]) == (3, 2)
    assert {t.attributes["failure"] for t in study.trials() if t.state == "failed"} == {
        "diverged: the loss is nan"
    }


def test_five_failures_from_the_start_end_the_study_with_the_reason(url):
    study = search(url)

    with pytest.raises(TooManyFailures, match="5 trials failed from the start.*out of memory"):
        run(study, 9, run_trial=failing("out of memory"))

    assert study.counts()["failed"] == 5


def test_pruned_trials_count_and_the_first_is_never_pruned(url):
    study = search(url, overrides=[("pruner.name", "median"), ("pruner.startup_trials", 1),
                                   ("pruner.warmup_epochs", 0)])  # fmt: skip
    run(study, 12)

    counts = study.counts()
    assert counts["finished"] == 12
    assert counts["pruned"] > 0
    assert study.trials()[0].state == "complete"


def test_pruned_and_failed_trials_note_what_they_cost_as_complete_ones_do(url):
    study = search(url, overrides=[("pruner.name", "median"), ("pruner.startup_trials", 1),
                                   ("pruner.warmup_epochs", 0)])  # fmt: skip
    spent = Spent({"train": 2.0, "compile": 5.0}, ("net: train", "net: predict"))

    def one_is_poor_and_one_fails(settings, *, report, **given):
        number = len(study.trials()) - 1
        if number in (1, 2):
            report(epochs_completed=1, value=0.0 if number == 1 else 9.0, spent=spent)
            raise TrialFailed("diverged")
        return run_fake(settings, report=report, **given)

    run(study, 3, run_trial=one_is_poor_and_one_fails)

    _, pruned, failed, _ = study.trials()
    assert (pruned.state, failed.state) == ("pruned", "failed")
    for trial in (pruned, failed):
        assert trial.attributes["seconds"].items() >= {"train": 2.0, "compile": 5.0}.items()
        assert "claim" in trial.attributes["seconds"]
        assert trial.attributes["programs_compiled"] == 2
        assert trial.attributes["programs"] == ["net: train", "net: predict"]


def test_value_is_what_the_trainer_gave_and_best_is_the_highest(url):
    study = search(url)
    run(study, 6)

    expected = {t.number: value_of(apply_params(study.settings, t.params)) for t in study.trials()}
    assert {t.number: t.value for t in study.trials()} == pytest.approx(expected)
    assert study.best().value == max(expected.values())
    assert [trial.number for trial in read_trials(url, "s")] == list(range(6))


def test_unknown_study_suggests_the_nearest(url):
    search(url, name="reviews")

    with pytest.raises(ConfigError, match="Did you mean 'reviews'"):
        read_trials(url, "reviwes")


def test_looking_for_dead_workers_asks_as_much_of_two_trials_as_of_six(url):
    study = search(url)
    asked = []
    sqlalchemy.event.listen(
        study._storage.engine, "before_cursor_execute", lambda *given: asked.append(given[2])
    )

    def questions_with(n_running):
        while study.counts()["running"] < n_running:
            study._claim(99, claiming_owner())
        asked.clear()
        study.reap()
        return len(asked)

    assert questions_with(2) == questions_with(6)


def test_claiming_a_point_of_a_grid_asks_as_much_after_two_trials_as_after_six(url):
    names = distributions(load_settings())
    study = search(url, overrides=[
        ("sampler.name", "grid"),
        *((f"space.{name}", "off") for name in names if name != "model.dropout"),
        ("space.model.dropout", {"low": 0.0, "high": 0.9, "step": 0.1}),
    ])  # fmt: skip
    asked = []
    sqlalchemy.event.listen(
        study._storage.engine, "before_cursor_execute", lambda *given: asked.append(given[2])
    )

    def questions_after(n_finished):
        run(study, n_finished)
        asked.clear()
        trial_id = study._storage.claim_trial(
            study._study._study_id, total=99, owner=claiming_owner(), first_params={},
            propose=study._propose,
        )  # fmt: skip
        n_asked = len(asked)
        study._storage.close_trial(study._study._study_id, trial_id, reason="done", retry=None)
        return n_asked

    assert questions_after(2) == questions_after(6)
    assert len({trial.params["model.dropout"] for trial in study.trials() if trial.params}) == 6
