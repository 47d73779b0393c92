"""Which trials are the best: the one order that all go by."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.records import TrialRecord

__all__ = ["best_trial", "count_better", "default_trial", "top_trials"]


def top_trials(trials: Sequence[TrialRecord], direction: str, k: int) -> list[TrialRecord]:
    """Give the best `k` complete trials, best first; of equal ones the earlier.

    Copies of another trial do not count.
    """
    return sorted(_ranked(trials), key=lambda t: (-_worth(t.value, direction), t.number))[:k]


def best_trial(trials: Sequence[TrialRecord], direction: str) -> TrialRecord | None:
    """Give the first of `top_trials`; None where no trial is complete."""
    return next(iter(top_trials(trials, direction, 1)), None)


def default_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Give the trial of the default settings; None where it is not complete."""
    return next((trial for trial in _ranked(trials) if trial.origin == 0), None)


def count_better(trials: Sequence[TrialRecord], direction: str, value: float) -> int:
    """Count those of `top_trials` whose value is better than `value`."""
    worth = _worth(value, direction)
    return sum(_worth(trial.value, direction) > worth for trial in _ranked(trials))


def _ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [
        trial
        for trial in trials
        if trial.state == "complete"
        and trial.value is not None
        and "duplicate_of" not in trial.attributes
    ]


def _worth(value: float | None, direction: str) -> float:
    """Turn a value round where less is better."""
    found = value or 0.0
    return found if direction == "maximize" else -found
