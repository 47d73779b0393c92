"""From an Optuna trial to a measured configuration and back."""

from __future__ import annotations

import math
from typing import Protocol

import optuna

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.records import (
    Checkpoint,
    Progress,
    Report,
    Spent,
    StopRequested,
    TrialOutcome,
    TrialSeeds,
)
from tuner.search.enduring import EnduringStorage
from tuner.seeds import Stream, derive_seed

__all__ = ["RunTrial", "TrialReport", "TrialStore", "check_finite", "trial_seeds"]


class RunTrial(Protocol):
    """What runs a configuration once: the pipeline, or a fake in tests."""

    def __call__(
        self,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: Checkpoint | None = None,
    ) -> TrialOutcome:
        """Run it, from its checkpoint where it has one, and give its outcome."""


class TrialStore(Protocol):
    """Where what a trial leaves behind is kept: its weights, and its state while it runs."""

    def keep_weights(self, outcome: TrialOutcome, *, n_better: int) -> str:
        """Store the weights of a complete trial before it is told, and give their digest.

        `n_better` counts the trials that are better: behind enough of them nobody will ask for
        the weights. It is 0 for trial 0, whose weights are always wanted.
        """

    def checkpoint(self, origin: int, attempt: int, identity: str) -> Checkpoint:
        """Give the states of one attempt at a trial.

        `identity` tells the trial from one of the same number in another study of this name.
        """


def trial_seeds(study_seed: int, origin: int) -> TrialSeeds:
    """Derive a trial's seeds; a retry has its original's."""
    return TrialSeeds(
        weights=derive_seed(study_seed, origin, Stream.WEIGHTS),
        order=derive_seed(study_seed, origin, Stream.ORDER),
        dropout=derive_seed(study_seed, origin, Stream.DROPOUT),
    )


def check_finite(outcome: TrialOutcome, metric: str) -> None:
    """Raise `TrialFailed` for a trial whose objective is no number."""
    if not math.isfinite(outcome.value):
        raise TrialFailed(f"diverged: selection {metric} is not finite")


class TrialReport:
    """Tells Optuna of every epoch and stops the trial when the pruner says so.

    Steps are epochs completed, counted from 1; phase two goes on counting.

    Attributes
    ----------
    spent
        What the trial had cost when it was last heard of.
    """

    def __init__(
        self,
        storage: EnduringStorage,
        trial: optuna.Trial,
        progress: Progress,
        *,
        may_prune: bool,
    ) -> None:
        self._storage = storage
        self._trial = trial
        self._progress = progress
        self._may_prune = may_prune
        # A trial that runs again was judged up to here by its predecessor, whose values it has.
        self._judged = max(trial._cached_frozen_trial.intermediate_values, default=0)
        self.spent = Spent({})

    def __call__(self, *, epochs_completed: int, value: float, spent: Spent) -> None:
        """Take the validation objective after an epoch; it is committed when this returns.

        Raises
        ------
        optuna.TrialPruned
            If the pruner has seen enough.
        """
        self.spent = spent
        is_pruned = False
        if epochs_completed > self._judged:
            # The value goes with the question for the other trials: one transaction an epoch.
            with self._storage.writing_together():
                self._trial.report(value, step=epochs_completed)
                is_pruned = self._may_prune and self._trial.should_prune()
        self._progress.epoch_finished(self._trial.number, epochs_completed, value)
        if is_pruned:
            raise optuna.TrialPruned
