"""A worker and what it is offered: studies of other code, and of the right one later."""

from __future__ import annotations

from contextlib import closing

import optuna
import pytest

from tests.fake_trainer import Quiet, run_fake
from tuner.cli.main import cli, run_command
from tuner.config import load_settings
from tuner.errors import ConfigError, Interrupted, TooManyFailures, TrialFailed
from tuner.search import Search, StudyTerms, list_studies
from tuner.service import run_worker, worker
from tuner.service.versions import code_identity

OTHER = {**code_identity(), "tuner": "0.0.1"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(worker, "_POLL_SECONDS", 0.01)


@pytest.fixture
def study(url):
    settings = load_settings(overrides=[("pruner.name", "none")])
    with closing(Search(settings, fingerprint="f", storage_url=url, study_name="s")) as study:
        yield study


def terms(code, *, total=3):
    return StudyTerms(total, "database", "0" * 64, code)


def work(url, folder, **given):
    given = {"trainer": lambda *_: run_fake, **given}
    return run_worker(url, output=folder, progress=lambda *_: Quiet(), **given)


def test_study_that_was_refused_is_served_when_the_right_code_offers_it(
    url, study, tmp_path, caplog
):
    study.set_terms(terms(OTHER))
    n_looks = 0

    def stop():
        nonlocal n_looks
        n_looks += 1
        if "study s is left to others" in caplog.text and study.terms().code == OTHER:
            study.set_terms(terms(code_identity()))
        if study.counts()["finished"] == 3:
            raise Interrupted(15)
        assert n_looks < 500, "it was not served again"

    with pytest.raises(Interrupted):
        work(url, tmp_path, waits=True, stop_requested=stop)

    assert caplog.text.count("is left to others") == 1


def test_worker_ends_when_its_study_is_taken_over_by_other_code(url, study, tmp_path):
    study.set_terms(terms(code_identity()))

    def stop():
        if study.counts()["finished"] == 1:
            study.set_terms(terms(OTHER))

    with pytest.raises(ConfigError, match=r"is run by other code: tuner is 0\.0\.1 there"):
        work(url, tmp_path, study_name="s", stop_requested=stop)

    assert study.counts()["finished"] == 1


def test_study_that_was_refused_is_looked_at_again_when_it_is_submitted_unchanged(
    table, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    submit = ("submit", "--data", str(table), "--trials", "1", "--output", str(tmp_path))
    is_mended = False

    def trainer(*_):
        if not is_mended:
            raise ConfigError("model.checkpoint: no such folder")
        return run_fake

    def stop():
        nonlocal is_mended
        if said and not is_mended:
            is_mended = True
            assert run_command(cli, list(submit)) == 0
        (listed,) = list_studies(url)
        if listed["finished"]:
            raise Interrupted(15)

    url = f"sqlite:///{tmp_path / 'tuner.db'}"
    said = []
    assert run_command(cli, list(submit)) == 0
    monkeypatch.setattr(worker._log, "warning", lambda *words: said.append(str(words)))

    with pytest.raises(Interrupted):
        work(url, tmp_path, trainer=trainer, waits=True, stop_requested=stop)

    assert len(said) == 1


def delete(study):
    optuna.delete_study(study_name="s", storage=study._storage)


def another(url, total):
    """Make a study of the name that the deleted one had, on SQLite with its id too."""
    settings = load_settings(overrides=[("pruner.name", "none"), ("study.seed", 7)])
    with closing(Search(settings, fingerprint="g", storage_url=url, study_name="s")) as new:
        new.set_terms(terms(code_identity(), total=total))


def test_worker_leaves_a_study_that_is_deleted_in_the_middle_of_a_trial(
    url, study, tmp_path, caplog
):
    study.set_terms(terms(code_identity()))

    def deleting(epoch):
        if study.counts()["finished"] == 1 and epoch == 2:
            delete(study)

    def trainer(*_):
        return lambda *a, **k: run_fake(*a, **k, before_epoch=deleting)

    assert work(url, tmp_path, trainer=trainer) == 1
    assert "study s was deleted from the storage: it is left" in caplog.text


def test_waiting_worker_serves_the_study_made_anew_under_the_name_of_a_deleted_one(
    url, study, tmp_path
):
    study.set_terms(terms(code_identity()))
    is_made_anew = False

    def stop():
        nonlocal is_made_anew
        (listed,) = list_studies(url)
        if is_made_anew and listed["finished"] == 2:
            raise Interrupted(15)
        if not is_made_anew and listed["finished"] == 3:
            delete(study)
            another(url, 2)
            is_made_anew = True

    with pytest.raises(Interrupted):
        work(url, tmp_path, waits=True, stop_requested=stop)

    (listed,) = list_studies(url)
    assert (listed["finished"], listed["failed"]) == (2, 0)


def test_worker_of_one_study_says_that_it_was_deleted(url, study, tmp_path):
    study.set_terms(terms(code_identity()))

    def stop():
        if study.counts()["finished"] == 1:
            delete(study)

    with pytest.raises(ConfigError, match="--study-name 's' was deleted from the storage"):
        work(url, tmp_path, study_name="s", stop_requested=stop)


def test_worker_that_has_run_trials_of_a_study_which_then_fails_ends_with_that(
    url, study, tmp_path
):
    study.set_terms(terms(code_identity(), total=20))
    n_runs = 0

    def run(settings, **given):
        nonlocal n_runs
        n_runs += 1
        if n_runs > 2:
            raise TrialFailed("the disk of texts is gone")
        return run_fake(settings, **given)

    with pytest.raises(TooManyFailures, match="the disk of texts is gone"):
        work(url, tmp_path, trainer=lambda *_: run)

    assert study.counts()["finished"] == 2


def test_worker_skips_a_study_whose_name_would_leave_the_output_folder(
    url, study, tmp_path, caplog
):
    settings = load_settings(overrides=[("pruner.name", "none")])
    with closing(Search(settings, fingerprint="f", storage_url=url, study_name="../a")) as other:
        other.set_terms(terms(code_identity()))
    study.set_terms(terms(code_identity()))

    assert work(url, tmp_path / "runs") == 3
    assert caplog.text.count("study ../a is left to others: --study-name must be") == 1
