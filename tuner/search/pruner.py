"""Pruners with explicit resources: add one here, its name in `PrunerSettings`, and its test."""

from __future__ import annotations

import copy
from collections.abc import Callable

import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.trial import FrozenTrial

from tuner.config import PrunerSettings
from tuner.search.predictive_pruner import PredictivePruner

__all__ = ["build_pruner", "why_none_pruned"]

_TRIALS_WORTH_A_WORD = 20


def _asha(settings: PrunerSettings, epochs_max: int) -> BasePruner:
    # Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2. Rungs
    # after min_resource * reduction_factor**k epochs; never "auto", as below.
    return SuccessiveHalvingPruner(
        min_resource=min(settings.min_resource, epochs_max),
        reduction_factor=settings.reduction_factor,
    )


class _Hyperband(HyperbandPruner):
    """Hyperband whose retried trials stay in the bracket of the trial they run again.

    Optuna draws the bracket from the trial's number, and the rungs of one bracket mean nothing
    in another.
    """

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        origin = trial.user_attrs.get("origin", trial.number)
        if origin != trial.number:
            trial = copy.copy(trial)
            trial.number = origin
        return super()._get_bracket_id(study, trial)


def _hyperband(settings: PrunerSettings, epochs_max: int) -> BasePruner:
    # Never "auto": every process would estimate the resources for itself.
    return _Hyperband(
        min_resource=min(settings.min_resource, epochs_max),
        max_resource=epochs_max,
        reduction_factor=settings.reduction_factor,
    )


def _median(settings: PrunerSettings, _: int) -> BasePruner:
    return MedianPruner(
        n_startup_trials=settings.startup_trials,
        # Optuna judges from step n_warmup_steps on, which is right for steps counted from 0.
        n_warmup_steps=settings.warmup_epochs + 1,
    )


def _predictive(settings: PrunerSettings, _: int) -> BasePruner:
    return PredictivePruner(
        top=settings.top,
        chance=settings.chance,
        loss=settings.loss,
        startup_trials=settings.startup_trials,
    )


def _none(_: PrunerSettings, __: int) -> BasePruner:
    return NopPruner()


_BUILDERS: dict[str, Callable[[PrunerSettings, int], BasePruner]] = {
    "asha": _asha,
    "hyperband": _hyperband,
    "median": _median,
    "none": _none,
    "predictive": _predictive,
}


def build_pruner(settings: PrunerSettings, *, epochs_max: int) -> BasePruner:
    """Build the pruner; resources are in epochs completed, both phases counted."""
    return _BUILDERS[settings.name](settings, epochs_max)


def why_none_pruned(settings: PrunerSettings, *, complete: int, pruned: int) -> str | None:
    """Say why a study has no pruned trials, where that may surprise; None elsewhere."""
    if settings.name != "predictive" or pruned or complete < _TRIALS_WORTH_A_WORD:
        return None
    return (
        f"no trial was pruned: after no epoch did one's chance to end among the best "
        f"{settings.top} fall below {100 * settings.chance:g} % (pruner.chance)"
    )
