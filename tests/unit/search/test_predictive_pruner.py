"""The pruner that predicts a trial's end; figures worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tuner.search.predictive_pruner import PredictivePruner, chances_above

X = np.array([0.0, 1.0, 2.0, 3.0])
Y = np.array([0.1, 0.9, 2.1, 2.9])  # the line 0.06 + 0.96 x, residuals 0.04, -0.12, 0.12, -0.04

# At epoch 1 the others stand at 0.1, 0.2, …, and end about 0.5 higher.
FIRST = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
FINAL = [0.61, 0.69, 0.81, 0.89, 1.01, 1.09, 1.21, 1.29, 1.41, 1.49]


def chance_above(threshold, x, y, new):
    return float(chances_above(threshold, x, y, np.array([new]))[0])


def test_chance_is_the_tail_of_student_t_around_the_line():
    error = sqrt(0.032 / 2 * (1 + 1 / 4))

    assert chance_above(1.5, X, Y, 1.5) == pytest.approx(0.5)
    # Two degrees of freedom: P(T > t) = 1/2 - t / (2 sqrt(2 + t²)).
    assert chance_above(1.5 + 2 * error, X, Y, 1.5) == pytest.approx(0.5 - 1 / sqrt(6))


def test_prediction_outside_the_points_is_less_certain():
    inside = chance_above(0.06 + 0.96 * 1.5 + 0.3, X, Y, 1.5)
    outside = chance_above(0.06 + 0.96 * -3.0 + 0.3, X, Y, -3.0)

    assert inside < outside < 0.5


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.5] * 4, Y),
        (X, [0.7] * 4),
        # Equal values whose mean is rounded to another number.
        ([0.1] * 6, [*Y, 0.4, 0.7]),
        ([*X, 4.0, 5.0], [0.1] * 6),
    ],
    ids=["same beginning", "no residual", "rounded beginning", "rounded residual"],
)
def test_points_that_say_nothing_leave_every_chance(x, y):
    assert chance_above(9.0, np.array(x), np.array(y), 0.0) == 1.0


def test_falling_line_predicts_the_mean():
    assert chance_above(1.5, X, Y[::-1], 0.0) == pytest.approx(0.5)


def judged(curve, first=FIRST, final=FINAL, *, direction="maximize", attributes=None, **settings):
    """Say whether a trial with this curve is stopped beside complete ones."""
    pruner = PredictivePruner(
        **{"top": 3, "chance": 0.01, "loss": 1.0, "startup_trials": 8, **settings}
    )
    study = optuna.create_study(direction=direction, pruner=pruner)
    for begin, end in zip(first, final, strict=True):
        study.add_trial(
            create_trial(
                value=end, intermediate_values={1: begin, 2: end}, user_attrs=attributes or {}
            )
        )
    trial = study.ask()
    for epoch, value in enumerate(curve, start=1):
        trial.report(value, step=epoch)
    return trial.should_prune()


def test_hopeless_trial_is_stopped_and_a_promising_one_goes_on():
    assert judged([0.3])
    assert not judged([0.78])


def test_losses_are_judged_from_the_other_end():
    first, final = [-v for v in FIRST], [-v for v in FINAL]

    assert judged([-0.3], first, final, direction="minimize")
    assert not judged([-0.78], first, final, direction="minimize")


def test_best_value_so_far_counts_and_not_the_last_one():
    assert not judged([0.95, 0.2], FIRST, [v + 0.001 * (-1) ** n for n, v in enumerate(FIRST)])


def test_nothing_is_stopped_where_the_beginning_says_nothing_about_the_end():
    assert not judged([0.1], final=[1.0, 0.7, 0.9, 0.8, 0.6, 1.0, 0.7, 0.9, 0.8, 0.6])


def test_nothing_is_stopped_before_enough_trials_are_complete():
    assert not judged([0.1], FIRST[3:], FINAL[3:])
    assert judged([0.1], FIRST[3:], FINAL[3:], startup_trials=0)
    assert not judged([0.1], FIRST[3:], FINAL[3:], startup_trials=0, top=8)


def test_copied_results_are_not_taken_as_evidence():
    assert not judged([0.1], attributes={"duplicate_of": 0})


def test_pruned_trials_are_no_evidence_and_a_trial_without_a_report_goes_on():
    pruner = PredictivePruner(top=1, chance=0.01, loss=1.0, startup_trials=1)
    study = optuna.create_study(pruner=pruner)
    for value in FIRST:
        study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={1: value}))
    trial = study.ask()

    assert not trial.should_prune()
    trial.report(9.0, step=1)
    assert not trial.should_prune()


def test_phase_that_ended_early_counts_with_what_it_reached():
    pruner = PredictivePruner(top=3, chance=0.01, loss=1.0, startup_trials=8)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for begin, end in zip(FIRST, FINAL, strict=True):
        study.add_trial(create_trial(value=end, intermediate_values={1: begin, 6: end}))
    trial = study.ask()
    for epoch in (1, 2, 3):
        trial.report(0.3, step=epoch)

    assert trial.should_prune()


def study_of_pruned(begins, *, loss):
    """Run trials that begin so and would go on, one after another; say which were stopped."""
    pruner = PredictivePruner(top=3, chance=0.5, loss=loss, startup_trials=8)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for begin, end in zip(FIRST, FINAL, strict=True):
        study.add_trial(create_trial(value=end, intermediate_values={1: begin, 2: end}))
    stopped = []
    for begin in begins:
        trial = study.ask()
        trial.report(begin, step=1)
        stopped.append(trial.should_prune())
        study.tell(trial, state=TrialState.PRUNED if stopped[-1] else TrialState.FAIL)
    return stopped, study


def test_pruning_ends_when_the_best_that_it_may_have_cost_reach_the_allowed_share():
    # By the line through the ten, one that begins at 0.78 ends among the best three with a chance
    # of 0.18: of 0.1 * 3 that may be lost one such trial takes more than half.
    stopped, _ = study_of_pruned([0.78, 0.78, 0.3], loss=0.1)

    assert stopped == [True, False, True]


def test_what_pruning_has_cost_is_given_back_when_better_trials_come_in():
    stopped, study = study_of_pruned([0.78, 0.78], loss=0.1)
    for end in (1.52, 1.53, 1.54):
        study.add_trial(create_trial(value=end, intermediate_values={1: end - 0.5, 2: end}))
    trial = study.ask()
    trial.report(0.78, step=1)

    assert stopped == [True, False]
    assert trial.should_prune()
