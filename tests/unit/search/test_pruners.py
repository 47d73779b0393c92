"""When each pruner stops a trial; rungs worked out by hand."""

from __future__ import annotations

import optuna
import pytest

from tuner.config import PrunerSettings, load_settings
from tuner.search.pruner import build_pruner, why_none_pruned


def pruned_after(values, *, name, epochs_max=8, others=()):
    """Give the epoch after which a trial is stopped beside finished ones; None for never."""
    settings = load_settings(
        overrides=[("pruner.name", name), ("pruner.startup_trials", len(others))]
    )
    study = optuna.create_study(
        direction="maximize", pruner=build_pruner(settings.pruner, epochs_max=epochs_max)
    )
    for curve in (*others, values):
        trial = study.ask()
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, step=epoch)
            if trial.should_prune() and curve is values:
                return epoch
        study.tell(trial, curve[-1])
    return None


GOOD = tuple([0.5 + 0.05 * number + 0.01 * epoch for epoch in range(8)] for number in range(5))


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("asha", 2),  # rungs after 2 and 6 epochs (min_resource 2, reduction_factor 3)
        ("median", 4),  # the first after 3 epochs of warm-up
        ("none", None),
    ],
)
def test_poor_trial_is_stopped_at_the_first_epoch_that_is_compared(name, epoch):
    assert pruned_after([0.1] * 8, name=name, others=GOOD) == epoch


def test_asha_stops_at_its_second_rung_who_was_good_at_the_first_alone():
    falls_back = [0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1]

    assert pruned_after(falls_back, name="asha", others=GOOD) == 6


def test_best_trial_is_never_stopped():
    assert pruned_after([0.99] * 8, name="asha", others=GOOD) is None


def test_study_without_a_pruned_trial_says_why_when_that_may_surprise():
    predictive = PrunerSettings()

    assert "below 0.2 %" in why_none_pruned(predictive, complete=100, pruned=0)
    assert why_none_pruned(predictive, complete=100, pruned=1) is None
    assert why_none_pruned(predictive, complete=8, pruned=0) is None
    assert why_none_pruned(PrunerSettings(name="none"), complete=100, pruned=0) is None
