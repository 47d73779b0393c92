"""Which trials are the best."""

from __future__ import annotations

import pytest

from tuner.records import TrialRecord
from tuner.search import best_trial, top_trials
from tuner.search.ranking import count_better


def trial(number, value, state="complete", **attributes):
    return TrialRecord(number, number, state, value, {}, {}, attributes, None, 1.0)


TRIALS = [
    trial(0, 0.5), trial(1, 0.7), trial(2, 0.7), trial(3, None, "pruned"), trial(4, 0.2),
    trial(5, 0.7, duplicate_of=1), trial(6, None, "running"), trial(7, None, "failed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("direction", "order"), [("maximize", [1, 2, 0, 4]), ("minimize", [4, 0, 1, 2])]
)
def test_best_come_first_the_earlier_of_equal_ones_and_no_copies(direction, order):
    assert [t.number for t in top_trials(TRIALS, direction, 9)] == order
    assert [t.number for t in top_trials(TRIALS, direction, 2)] == order[:2]
    assert best_trial(TRIALS, direction).number == order[0]


@pytest.mark.parametrize(
    ("direction", "value", "n"), [("maximize", 0.5, 2), ("maximize", 0.7, 0), ("minimize", 0.5, 1)]
)
def test_better_ones_are_counted_in_the_same_order(direction, value, n):
    assert count_better(TRIALS, direction, value) == n


def test_without_a_complete_trial_none_is_best():
    assert best_trial(TRIALS[6:], "maximize") is None
