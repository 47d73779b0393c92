"""The race of a confirmation, with values laid down beforehand."""

from __future__ import annotations

from types import SimpleNamespace

from tuner.config import load_settings
from tuner.errors import TrialDied, TrialFailed
from tuner.records import TrialRecord
from tuner.service.race import LostRun, Race


class Watcher:
    def __init__(self):
        self.heard = []

    def confirmation_run_finished(self, trial, repetition, value, seconds):
        self.heard.append((trial.number, repetition, value, seconds is None))


def race(values, *, done=None, n_seeds=4, time_is_up=lambda: False):
    """Let trials with the dropouts that key `values` run; each value list is by repetition.

    An error in the place of a value is raised; a list is of one run's attempts.
    """

    def run_once(settings, *, repetition, stop_requested):
        value = values[settings.model.dropout][repetition]
        if isinstance(value, list):
            value = value.pop(0)
        if isinstance(value, Exception):
            raise value
        return SimpleNamespace(
            value=value, best_epoch=1, validation=SimpleNamespace(value=lambda metric: value)
        )

    candidates = [
        TrialRecord(n, n, "complete", 0.9, {"model.dropout": dropout}, {}, {}, None, 1.0)
        for n, dropout in enumerate(values)
    ]
    watcher = Watcher()
    race = Race(
        load_settings(),
        "seeds",
        run_once,
        done=done or {},
        note=lambda key, value: None,
        progress=watcher,
        stop_requested=lambda: None,
        time_is_up=time_is_up,
    )
    found = race.run(candidates, n_seeds)
    lost = race.lost(candidates, n_seeds)
    return [contender.values for contender in found], watcher.heard, lost


def test_loser_leaves_early_and_the_last_two_run_to_the_end():
    found, *_ = race({0.1: [0.5] * 4, 0.2: [0.8] * 4, 0.3: [0.7] * 4})

    assert [len(values) for values in found] == [3, 4, 4]  # ceil(2 * 4 / 3) = 3 runs


def test_spent_budget_ends_the_race_after_two_runs_of_each():
    found, *_ = race({0.1: [0.5] * 4, 0.2: [0.8] * 4}, time_is_up=lambda: True)

    assert [len(values) for values in found] == [2, 2]


def test_finished_runs_are_not_run_again_and_heard_of_as_such():
    done = {"seeds:0:0": {"value": 0.25, "seconds": 3.0}}

    found, heard, _ = race({0.1: [0.5, 0.6]}, done=done, n_seeds=2)

    assert found == [(0.25, 0.6)]
    assert heard == [(0, 0, 0.25, True), (0, 1, 0.6, False)]


def died(epoch):
    return TrialDied("its process was ended by SIGSEGV", epoch=epoch)


def test_run_whose_process_died_runs_again():
    found, heard, lost = race({0.1: [0.5, [died(2), died(1), died(2), 0.6]]}, n_seeds=2)

    assert found == [(0.5, 0.6)]
    assert [value for _, _, value, _ in heard] == [0.5, 0.6]
    assert lost == []


def test_three_deaths_in_one_epoch_or_a_failure_end_the_race_for_that_trial_alone():
    found, _, lost = race(
        {0.1: [0.9, [died(2), died(2), died(2)]], 0.2: [TrialFailed("too long")], 0.3: [0.5, 0.6]},
        n_seeds=2,
    )

    assert found == [(0.9,), (0.5, 0.6)]
    assert lost == [
        LostRun(
            0,
            1,
            "set aside after 3 deaths in one epoch: its process was ended by SIGSEGV in epoch 2",
        ),
        LostRun(1, 0, "too long"),
    ]
