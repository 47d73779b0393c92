"""Samplers: add one here, its name in `SamplerSettings`, and its test."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuner.config import SamplerSettings, Settings
from tuner.errors import ConfigError
from tuner.search.grid import Grid
from tuner.search.space import distributions
from tuner.seeds import Stream, derive_seed

__all__ = ["build_sampler", "check_sampler", "excerpt"]

BEST_READ, LATEST_READ = 100, 400


@dataclass(frozen=True, slots=True)
class _Request:
    """What a sampler may be built from: `number` is the original trial's, `seed` its own."""

    settings: SamplerSettings
    space: Mapping[str, BaseDistribution]
    study_seed: int
    number: int

    @property
    def seed(self) -> int:
        return derive_seed(self.study_seed, self.number, Stream.SAMPLER)


class _Sobol(QMCSampler):
    """A scrambled Sobol sequence whose point is the trial's number.

    Optuna counts the points in an attribute of the study, read and written without a lock, so
    two processes can draw one point twice; and it takes the space from the first trial.
    """

    def __init__(self, request: _Request) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # One sequence for the whole study: its seed is not the trial's.
            super().__init__(qmc_type="sobol", scramble=True, seed=request.study_seed)
        self._request = request

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Give the space of the study; what has one value only takes no dimension."""
        return {name: each for name, each in self._request.space.items() if not each.single()}

    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, Any]) -> int:
        return self._request.number


class _BoundedTPE(TPESampler):
    """TPE over the study's space that reads the best and the latest trials only.

    Its cost then stays the same however long a study gets. Of n trials TPE takes the best
    min(n / 10, 25) for good (Bergstra et al. 2011, section 4; Optuna's gamma), all of which are
    read; what is left out is old and poor. `benchmarks/bounded_tpe.py` measures that the quality
    does not suffer.
    """

    def __init__(self, request: _Request, **arguments: Any) -> None:
        super().__init__(seed=request.seed, **arguments)
        self._space = request.space

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Give the space of the study, which no trial leaves; Optuna would read every trial."""
        return {name: each for name, each in sorted(self._space.items()) if not each.single()}

    def _sample(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        return super()._sample(cast(optuna.Study, _Excerpt(study)), trial, search_space)


class _Excerpt:
    """A study that shows the best and the latest of its trials."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, **arguments: Any) -> list[FrozenTrial]:
        return excerpt(self._study, self._study._get_trials(**arguments))


def excerpt(study: optuna.Study, trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Give the best and the latest of the trials, by number; all of them if they are not many."""
    if len(trials) <= BEST_READ + LATEST_READ:
        return trials
    earlier, latest = trials[:-LATEST_READ], trials[-LATEST_READ:]
    complete = [trial for trial in earlier if trial.state == TrialState.COMPLETE]
    is_better_higher = study.direction == StudyDirection.MAXIMIZE
    complete.sort(key=lambda trial: trial.value or 0.0, reverse=is_better_higher)
    return [*sorted(complete[:BEST_READ], key=lambda trial: trial.number), *latest]


def _tpe(request: _Request) -> BaseSampler:
    return _BoundedTPE(
        request,
        n_startup_trials=request.settings.startup_trials,
        multivariate=True,
        # Running trials count as poor, so that workers do not all propose the same.
        constant_liar=True,
    )


def _random(request: _Request) -> BaseSampler:
    return RandomSampler(seed=request.seed)


def _gp(request: _Request) -> BaseSampler:
    return GPSampler(
        seed=request.seed,
        n_startup_trials=request.settings.startup_trials,
        deterministic_objective=False,
    )


def _cmaes(request: _Request) -> BaseSampler:
    return CmaEsSampler(
        seed=request.seed,
        n_startup_trials=request.settings.startup_trials,
        warn_independent_sampling=False,
    )


_BUILDERS: dict[str, Callable[[_Request], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _Sobol,
    # A point of the grid is handed to its trial when the slot is taken; see `Grid`.
    "grid": _random,
}


def build_sampler(
    settings: SamplerSettings,
    space: Mapping[str, BaseDistribution],
    *,
    study_seed: int,
    number: int,
) -> BaseSampler:
    """Build the sampler of one trial.

    A new one for every trial, seeded by the original trial's number: a continued study then
    proposes what an uninterrupted one would have, and workers do not repeat each other.
    """
    return _BUILDERS[settings.name](_Request(settings, space, study_seed, number))


def check_sampler(settings: Settings) -> None:
    """Refuse a sampler that cannot serve the space.

    Raises
    ------
    ConfigError
        If the sampler's package is missing, or a parameter is none that it can propose; names
        the parameter.
    """
    space = distributions(settings)
    if settings.sampler.name == "gp" and find_spec("torch") is None:
        raise ConfigError(
            "sampler.name 'gp' needs PyTorch, which is not installed; install the extra: "
            "pip install 'tuner[gp]'."
        )
    if settings.sampler.name == "cmaes":
        _check_numbers(space)
    if settings.sampler.name == "grid":
        Grid(space, seed=settings.study.seed)


def _check_numbers(space: Mapping[str, BaseDistribution]) -> None:
    for name, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            raise ConfigError(
                f"space.{name}: the sampler cmaes searches ranges of numbers only; got choices "
                f"{list(distribution.choices)}. Give a range, or take another sampler.name."
            )
    ranges = [name for name, distribution in space.items() if not distribution.single()]
    if len(ranges) < 2:
        raise ConfigError(
            "sampler.name 'cmaes' needs at least two searched settings, since it learns how they "
            f"go together; got {', '.join(ranges) or 'none'}."
        )
