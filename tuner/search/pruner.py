"""Pruners with explicit resources: add one here, its name in `PrunerSettings`, and its test."""

from __future__ import annotations

from collections.abc import Callable

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

from tuner.config import PrunerSettings

__all__ = ["build_pruner"]


def _hyperband(settings: PrunerSettings, epochs_max: int) -> BasePruner:
    # Never "auto": every process would estimate the resources for itself.
    return HyperbandPruner(
        min_resource=min(settings.min_resource, epochs_max),
        max_resource=epochs_max,
        reduction_factor=settings.reduction_factor,
    )


def _median(settings: PrunerSettings, _: int) -> BasePruner:
    return MedianPruner(
        n_startup_trials=settings.startup_trials, n_warmup_steps=settings.warmup_epochs
    )


def _none(_: PrunerSettings, __: int) -> BasePruner:
    return NopPruner()


_BUILDERS: dict[str, Callable[[PrunerSettings, int], BasePruner]] = {
    "hyperband": _hyperband,
    "median": _median,
    "none": _none,
}


def build_pruner(settings: PrunerSettings, *, epochs_max: int) -> BasePruner:
    """Build the pruner; resources are in epochs completed, both phases counted."""
    return _BUILDERS[settings.name](settings, epochs_max)
