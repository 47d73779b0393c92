"""How a confirmation is laid out for small and large tables."""

from __future__ import annotations

from math import inf

import pytest

from tuner.records import Document, SearchParts, TrialRecord
from tuner.service.confirm import Confirmation, ConfirmationPlan, kind_for, n_folds_for
from tuner.service.race import Contender


def parts(n_train, n_validation, n_selection):
    rows = [
        tuple(Document(f"{name} {number}", "x", "a.csv", number) for number in range(n))
        for name, n in (("t", n_train), ("v", n_validation), ("s", n_selection))
    ]
    return SearchParts(*rows, ("x", "y"), "0" * 64, 100)


@pytest.mark.parametrize(("n_selection", "kind"), [(1_999, "cross_validation"), (2_000, "seeds")])
def test_a_small_selection_part_is_not_trusted_to_rank_alone(n_selection, kind):
    assert kind_for(parts(100, 100, n_selection)) == kind


def test_folds_are_as_large_as_selection_so_that_train_keeps_its_size():
    assert n_folds_for(parts(600, 150, 100)) == 8  # 850 / 100, and 850 / 8 = 106 rows a fold


def test_there_are_three_folds_at_least():
    assert n_folds_for(parts(50, 50, 100)) == 3


def test_the_default_settings_are_confirmed_wherever_they_stand():
    found = [trial(number, value) for number, value in enumerate((0.5, 0.9, 0.7, 0.8))]
    plan = ConfirmationPlan(2, 3)

    assert [t.number for t in plan.candidates(found, "maximize")] == [1, 3, 0]
    assert [t.number for t in plan.candidates(found, "minimize")] == [0, 2]
    assert [t.number for t in plan.candidates(found[1:], "maximize")] == [1, 3]


def trial(number, value):
    return TrialRecord(number, number, "complete", value, {}, {}, {}, None, 1.0)


@pytest.mark.parametrize(
    ("metric", "low", "high"),
    [("macro_f1", 0.0, 1.0), ("mcc", -1.0, 1.0), ("log_loss", 0.0, inf)],
)
def test_the_interval_of_the_mean_stays_in_the_range_of_the_score(metric, low, high):
    winner = Contender(trial(0, 0.5), (0.05, 0.9))

    found = Confirmation(
        "seeds", ConfirmationPlan(1, 2), (winner,), (), winner, 1.0, metric
    ).as_json()["interval"]

    assert found["low"] == low
    assert 1.0 <= found["high"] <= high
