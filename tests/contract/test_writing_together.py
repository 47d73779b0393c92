"""What a running trial says is written in few transactions, and is there for whoever asks."""

from __future__ import annotations

from contextlib import closing

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from tests.fake_trainer import NoStore, Quiet, run_fake
from tuner.config import load_settings
from tuner.search import Search, read_trials
from tuner.search.owner import claiming_owner
from tuner.search.space import suggest


@pytest.fixture
def study(url):
    with closing(open_study(url)) as study:
        yield study


def open_study(url, *overrides):
    settings = load_settings(overrides=overrides)
    return Search(settings, fingerprint="f" * 64, storage_url=url, study_name="s")


def run(study, total, run_trial=run_fake):
    study.run(
        run_trial, total=total, progress=Quiet(), stop_requested=lambda: None, store=NoStore()
    )


def claim(study):
    return study._claim(99, claiming_owner())


def transactions_of(study):
    found = []
    sqlalchemy.event.listen(study._storage.engine, "commit", found.append)
    return found


def test_an_epoch_is_one_transaction_its_value_and_the_look_at_other_trials(url, study):
    run(study, 2)
    committed, each, told = transactions_of(study), [], []

    def watched(settings, *, report, **given):
        def counting(*, epochs_completed, value, **_):
            committed.clear()
            report(epochs_completed=epochs_completed, value=value, **_)
            each.append(len(committed))
            told.append(len(read_trials(url, "s")[-1].intermediate))

        return run_fake(settings, report=counting, **given)

    run(study, 3, watched)

    assert each == [1, 1, 1, 1]
    assert told == [1, 2, 3, 4]  # another process knows it when the epoch ends


def test_all_parameters_of_a_trial_are_written_in_one_transaction(url, study):
    run(study, 1)
    trial = claim(study)
    committed = transactions_of(study)

    with study._storage.writing_together():
        params = suggest(trial, study.space)

    assert len(params) > 3
    assert len(committed) <= 2  # the sampler asks for the trials so far, before
    assert read_trials(url, "s")[-1].params == params


def test_what_waits_is_seen_by_all_that_is_asked_meanwhile(study):
    run(study, 1)
    trial = claim(study)
    storage = study._storage

    with storage.writing_together():
        trial.report(0.25, 1)
        assert storage.get_trial(trial._trial_id).intermediate_values == {1: 0.25}
        storage.set_trial_system_attr(trial._trial_id, "completed_rung_0", 0.25)
        assert storage.get_trial_system_attrs(trial._trial_id) == {"completed_rung_0": 0.25}
        trial.report(0.5, 2)

    assert storage.get_trial(trial._trial_id).intermediate_values == {1: 0.25, 2: 0.5}


def test_value_that_is_no_number_or_written_twice_is_kept_as_it_is(study):
    trial = claim(study)
    storage = study._storage

    for value in (0.5, float("inf"), float("-inf")):
        with storage.writing_together():
            storage.set_trial_intermediate_value(trial._trial_id, 1, value)
        assert storage.get_trial(trial._trial_id).intermediate_values == {1: value}


def test_what_waits_when_something_fails_is_not_written(study):
    trial = claim(study)

    with pytest.raises(ZeroDivisionError), study._storage.writing_together():
        trial.report(0.5, 1)
        1 / 0  # noqa: B018 - fails

    assert study._storage.get_trial(trial._trial_id).intermediate_values == {}


def test_trial_that_another_one_has_closed_takes_no_more_values(study):
    trial = claim(study)
    study._storage.close_trial(study._study._study_id, trial._trial_id, reason="gone", retry=None)

    with pytest.raises(UpdateFinishedTrialError), study._storage.writing_together():
        trial.report(0.5, 1)

    assert study._storage.get_trial(trial._trial_id).state == TrialState.FAIL
    assert study._storage.get_trial(trial._trial_id).intermediate_values == {}


def test_parameter_of_another_kind_than_in_the_trials_before_is_refused(study):
    run(study, 1)
    trial = claim(study)
    other = optuna.distributions.CategoricalDistribution(["a", "b"])

    with (
        pytest.raises(ValueError, match="CategoricalDistribution|distribution"),
        study._storage.writing_together(),
    ):
        trial._suggest("model.dropout", other)


@pytest.mark.parametrize("pruner", ["asha", "hyperband", "median", "predictive"])
def test_trials_are_pruned_alike_whether_the_study_is_continued_or_not(url, tmp_path, pruner):
    named = ("pruner.name", pruner), ("pruner.min_resource", 1), ("pruner.startup_trials", 2)
    with closing(open_study(url, *named)) as straight:
        run(straight, 16)
        expected = [(t.state, t.params, t.intermediate) for t in straight.trials()]
    for total in (5, 11, 16):
        with closing(open_study(f"sqlite:///{tmp_path / 'other.db'}", *named)) as continued:
            run(continued, total)
            found = [(t.state, t.params, t.intermediate) for t in continued.trials()]

    assert found == expected
