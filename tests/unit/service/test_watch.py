"""A process that watches what workers do."""

from __future__ import annotations

from tuner.records import TrialRecord
from tuner.service.metrics import Metrics
from tuner.service.watch import Watcher


def trial(number, state, epochs, *, origin=None, **attributes):
    return TrialRecord(
        number=number, origin=number if origin is None else origin, state=state,
        value=0.9 if state == "complete" else None, params={"model.dropout": 0.1},
        intermediate=dict.fromkeys(range(1, epochs + 1), 0.5), attributes=attributes,
        started=None, seconds=None,
    )  # fmt: skip


def epochs_counted(metrics):
    return metrics.registry.get_sample_value("tuner_epochs_total", {"study": "s"})


def test_epochs_that_a_trial_takes_over_when_it_runs_again_are_counted_once():
    metrics = Metrics()
    watcher = Watcher([], metrics.watching("s", "maximize"))

    watcher.look([trial(0, "running", 2)])
    cut_off = trial(0, "failed", 3, retried=True)
    watcher.look([cut_off, trial(1, "running", 3, origin=0)])
    assert epochs_counted(metrics) == 3
    cut_off_again = trial(1, "failed", 4, origin=0, retried=True)
    watcher.look([cut_off, cut_off_again, trial(2, "complete", 8, origin=0)])

    assert epochs_counted(metrics) == 8


def test_epochs_from_before_the_watch_are_not_counted():
    metrics = Metrics()
    before = [trial(0, "failed", 3, retried=True), trial(1, "running", 2)]
    watcher = Watcher(before, metrics.watching("s", "maximize"))

    watcher.look([before[0], trial(1, "running", 3), trial(2, "running", 4, origin=0)])

    assert epochs_counted(metrics) == 2


def test_epochs_of_a_trial_that_has_the_result_of_another_are_not_counted():
    metrics = Metrics()
    watcher = Watcher([], metrics.watching("s", "maximize"))

    watcher.look([trial(0, "complete", 8), trial(1, "complete", 8, duplicate_of=0)])

    assert epochs_counted(metrics) == 8
