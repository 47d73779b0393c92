"""What a process sees of the trials that others run, while it reads them only now and then."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.fake_trainer import NoStore, Quiet, run_fake
from tuner.config import load_settings
from tuner.search import Search
from tuner.search.owner import claiming_owner
from tuner.search.running_reads import RunningReads


class Clock:
    now = 100.0
    reading_seconds = 0.0

    def __call__(self):
        self.now += self.reading_seconds
        return self.now


@pytest.fixture
def two(url):
    """The same study opened by two, one with a trial behind it; the second's clock is ours."""
    settings = load_settings(overrides=[("pruner.name", "none")])
    with ExitStack() as opened:
        searches = []
        for _ in range(2):
            search = Search(settings, fingerprint="f" * 64, storage_url=url, study_name="s")
            opened.callback(search.close)
            searches.append(search)
        run_one(searches[0])
        clock = Clock()
        searches[1]._storage._running_reads = RunningReads(clock)
        searches[1].trials()
        yield *searches, clock


def run_one(search):
    search.run_one(
        run_fake, total=99, progress=Quiet(), stop_requested=lambda: None, store=NoStore()
    )


def begin(search):
    """Claim a trial, draw a parameter, and give the trial."""
    trial = search._claim(99, claiming_owner())
    trial.suggest_float("model.dropout", 0.0, 0.5)
    return trial


def seen(search):
    return {trial.number: trial for trial in search.trials()}


def test_new_trials_parameters_and_ends_are_seen_at_once(two):
    mine, other, clock = two
    clock.reading_seconds = 1e9  # nothing running is read again in this test
    seen(other)
    clock.reading_seconds = 0.0

    claimed = mine._claim(99, claiming_owner())
    assert seen(other)[1].params == {}
    claimed.suggest_float("model.dropout", 0.0, 0.5)
    assert "model.dropout" in seen(other)[1].params
    claimed.report(0.5, 1)
    mine._study.tell(claimed, 0.7)
    assert seen(other)[1].state == "complete"
    assert seen(other)[1].value == 0.7
    assert seen(other)[1].intermediate == {1: 0.5}


def test_what_runs_elsewhere_is_read_again_when_a_fiftieth_of_the_time_is_enough(two):
    mine, other, clock = two
    trial = begin(mine)
    clock.reading_seconds = 1.0
    seen(other)
    clock.reading_seconds = 0.0
    trial.report(0.5, 1)

    clock.now += 49.0
    assert seen(other)[1].intermediate == {}
    clock.now += 1.0
    assert seen(other)[1].intermediate == {1: 0.5}
