"""Samplers: add one here, its name in `SamplerSettings`, and its test."""

from __future__ import annotations

from collections.abc import Callable

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from tuner.config import SamplerSettings

__all__ = ["build_sampler"]


def _tpe(settings: SamplerSettings, seed: int) -> BaseSampler:
    return TPESampler(
        seed=seed,
        n_startup_trials=settings.startup_trials,
        multivariate=True,
        # Running trials count as poor, so that workers do not all propose the same.
        constant_liar=True,
    )


def _random(_: SamplerSettings, seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


_BUILDERS: dict[str, Callable[[SamplerSettings, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
}


def build_sampler(settings: SamplerSettings, *, seed: int) -> BaseSampler:
    """Build the sampler of one trial.

    A new one for every trial, seeded by the trial's number: a continued study then proposes what
    an uninterrupted one would have, and workers do not repeat each other.
    """
    return _BUILDERS[settings.name](settings, seed)
