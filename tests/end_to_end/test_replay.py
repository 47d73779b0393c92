"""A trial comes out again as it was recorded."""

from __future__ import annotations

import json
import shutil
import warnings

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from tests.conftest import SMALL, make_rows, run_tuner, write_csv
from tuner.config import apply_params, load_settings
from tuner.cores import threads
from tuner.errors import ConfigError


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    write_csv(folder / "reviews.csv", make_rows(80))
    result = run_tuner("optimize", "--data", "reviews.csv", "--trials", "2", *SMALL,
                       "--study-name", "s", cwd=folder)  # fmt: skip
    assert result.returncode == 0, result.stderr
    return folder


def replay(folder, number, *more):
    return run_tuner("replay", "s", str(number), *more, cwd=folder)


def test_trial_is_replayed_bit_for_bit(finished):
    result = replay(finished, 1, "--json")

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["are_bits_equal"]
    assert found["is_expected_exact"]
    assert found["value"] == found["again"]
    assert found["drift"] == []


def test_other_threads_are_named_as_drift(finished):
    result = run_tuner("replay", "s", "0", cwd=finished, TF_NUM_INTRAOP_THREADS=str(threads() + 1))

    assert "drift: threads was" in result.stdout


def test_trial_that_is_not_there_is_refused(finished):
    result = replay(finished, 7)

    assert result.returncode == 2
    assert "TRIAL must be a trial of study 's', 0 to 1; got 7." in result.stderr


@pytest.fixture
def record(finished, tmp_path):
    """Gives a folder with a study whose trial 2 is trial 1 as far as a record of it goes."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)

    def add(state, *, epochs, shift=0.0, params=None, **attributes):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/runs/tuner.db")
        whole = study.trials[1]
        values = {n: v + shift for n, v in whole.intermediate_values.items() if n <= epochs}
        about = {"about": whole.user_attrs["about"], "origin": 1}
        drawn, distributions = dict(whole.params), dict(whole.distributions)
        for name, value in (params or {}).items():
            drawn[name], distributions[name] = value, FloatDistribution(0.0, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.add_trial(
                create_trial(
                    state=state, params=drawn, distributions=distributions,
                    intermediate_values=values, user_attrs={**about, **attributes},
                    value=values[epochs] if state == TrialState.PRUNED else None,
                )
            )  # fmt: skip
        return folder

    return add


def test_pruned_trial_runs_as_far_as_its_record_goes(record):
    result = replay(record(TrialState.PRUNED, epochs=3), 2, "--json")

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["state"], found["epochs"], found["difference"]) == ("pruned", 3, 0.0)
    assert found["are_bits_equal"]
    assert found["value"] == found["again"]


def test_trial_that_was_cut_off_is_compared_epoch_by_epoch(record):
    lost = {"failure": "interrupted: its process died", "retried": True}

    result = replay(record(TrialState.FAIL, epochs=2, **lost), 2)

    assert result.returncode == 0, result.stderr
    assert "cut off after 2 epochs" in result.stdout
    assert "the values of all of them: the same, bit for bit" in result.stdout


def test_pruned_trial_with_other_values_does_not_hold(record):
    result = replay(record(TrialState.PRUNED, epochs=2, shift=0.1), 2)

    assert result.returncode == 1
    assert "the values of all of them: others" in result.stdout
    assert "it does not come out as recorded" in result.stdout


def test_failure_that_does_not_come_again_is_said(record):
    diverged = {"failure": "diverged: validation macro_f1 is nan after epoch 2"}

    result = replay(record(TrialState.FAIL, epochs=1, **diverged), 2)

    assert result.returncode == 1
    assert "it failed then: diverged: validation macro_f1 is nan after epoch 2" in result.stdout
    assert "it does not fail now" in result.stdout


def test_trial_that_was_cut_off_in_its_first_epoch_has_nothing_to_compare(record):
    lost = {"failure": "stopped by signal 15", "retried": True}

    result = replay(record(TrialState.FAIL, epochs=0, **lost), 2)

    assert result.returncode == 2
    assert "has none: stopped by signal 15" in result.stderr


def test_trial_that_failed_fails_again_with_the_same_words(record):
    beyond = {"model.dropout": 1.5}
    with pytest.raises(ConfigError) as failed:
        apply_params(load_settings(), beyond)

    result = replay(record(TrialState.FAIL, epochs=0, failure=str(failed.value), params=beyond), 2)

    assert result.returncode == 0, result.stdout
    assert "it fails now with the same words" in result.stdout


def test_trial_that_was_set_aside_and_does_not_die_any_more_says_so(record):
    death = "set aside after 3 deaths in one epoch: its process was ended by SIGKILL in epoch 2"

    result = replay(record(TrialState.FAIL, epochs=1, failure=death, set_aside=True), 2)

    assert result.returncode == 0, result.stderr
    assert f"it failed then: {death}" in result.stdout
    assert "it does not die now" in result.stdout


def test_other_code_of_that_trial_is_named_though_its_study_went_on_with_this_one(record):
    result = replay(record(TrialState.PRUNED, epochs=1, about={"source": "0" * 12}), 2)

    assert "drift: source was 000000000000, is" in result.stdout
