"""What `tuner status` says of the time left, and of what only `tuner optimize` does."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from tests.fake_trainer import NoStore, Quiet, run_fake
from tuner.cli import status as status_module
from tuner.cli.status import status
from tuner.config import load_settings
from tuner.errors import StorageError
from tuner.search import Search, StudyTerms


@pytest.fixture
def study(url):
    settings = load_settings(overrides=[("pruner.name", "none")])
    opened = Search(settings, fingerprint="f" * 64, storage_url=url, study_name="s")
    opened.set_terms(StudyTerms(4, "folder", "", {}))
    yield opened
    opened.close()


def work(study, total, run_trial=run_fake):
    study.run(
        run_trial, total=total, progress=Quiet(), stop_requested=lambda: None, store=NoStore()
    )


def shown(url, *words):
    return CliRunner().invoke(status, ["--storage", url, *words], catch_exceptions=False).output


def during_the_fourth_trial(study, url, *words):
    """Give what is shown while the last trial runs."""
    seen = []

    def run_and_look(settings, **named):
        seen.append(shown(url, *words))
        return run_fake(settings, **named)

    work(study, 3)
    work(study, 4, run_and_look)
    return seen[0]


def test_time_left_says_that_it_is_of_the_search_where_nothing_else_is_known(study, url):
    text = during_the_fourth_trial(study, url)

    assert re.search(r"\d+ s \+", text)
    assert "+: of the search alone; `tuner optimize` then confirms" in text


def test_time_left_counts_the_end_that_tuner_optimize_has_estimated(study, url):
    study.note_ending(runs=0, seconds=600.0)

    text = during_the_fourth_trial(study, url)

    assert "10 min" in text
    assert "+" not in text


def test_runs_of_the_confirmation_take_as_long_as_whole_trials(study, url):
    study.note_ending(runs=10, seconds=0.0)

    (found,) = json.loads(during_the_fourth_trial(study, url, "--json"))

    seconds = [trial.seconds for trial in study.trials()[1:3]]
    assert found["seconds_left_at_end"] == round(10 * sum(seconds) / 2)


def test_night_in_which_a_study_was_paused_says_nothing_of_its_pace(study, url):
    work(study, 4)
    earlier = "strftime('%Y-%m-%d %H:%M:%f000', {0}, '-10 hours')"
    with study._storage.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE trials SET datetime_start = {earlier.format('datetime_start')}, "
            f"datetime_complete = {earlier.format('datetime_complete')} WHERE number < 2"
        )
    study.set_terms(StudyTerms(5, "folder", "", {}))

    (found,) = json.loads(shown(url, "--json"))

    assert found["seconds_left"] < 3600


def test_closed_study_has_no_search_left(study, url):
    work(study, 3)
    study.close_to_workers("timeout")

    (found,) = json.loads(shown(url, "--json"))

    assert (found["closed"], found["seconds_left"]) == ("timeout", 0)


def test_searched_study_waits_for_its_end_and_a_concluded_one_for_nothing(study, url):
    work(study, 4)
    assert "s: the search is over; `tuner optimize` confirms its best trials" in shown(url)

    study.note_conclusion(finished=4)

    assert "the search is over" not in shown(url)
    study.set_terms(StudyTerms(5, "folder", "", {}))
    work(study, 5)
    assert "the search is over" in shown(url)


def test_who_watches_sees_that_the_storage_is_away_and_that_it_is_back(study, url, monkeypatch):
    looks = iter(["there", "away", "there"])
    read = status_module._shown

    def look(*arguments, **named):
        if next(looks) == "away":
            raise StorageError("the storage is away.")
        return read(*arguments, **named)

    pauses = iter([None, None])
    monkeypatch.setattr(status_module, "_shown", look)
    monkeypatch.setattr(status_module.time, "sleep", lambda _: _next_or_ctrl_c(pauses))

    text = shown(url, "--watch")

    assert [line.split()[0] for line in text.splitlines()] == ["study", "s", "the", "study", "s"]


def _next_or_ctrl_c(pauses):
    if next(pauses, "end") == "end":
        raise KeyboardInterrupt
