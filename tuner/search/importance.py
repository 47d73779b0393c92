"""Which searched settings mattered, and how sure that is."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuner.records import TrialRecord
from tuner.wording import counted

__all__ = ["parameter_importances"]

TRIALS_MIN = 10
TOP_TRIALS_MIN = 5
RESAMPLES = 100
RESAMPLES_MIN = 40
_STUDY = "importance"


class _Sample(optuna.Study):
    """A study that gives a sample of its trials.

    A study filled anew for every sample costs three times as much, all of it in copying.
    """

    sample: Sequence[FrozenTrial] = ()

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        """Give the sample; all of its trials are complete."""
        return list(self.sample)


def parameter_importances(
    trials: Sequence[TrialRecord],
    space: Mapping[str, BaseDistribution],
    *,
    direction: str,
    seed: int,
    n_resamples: int | None = None,
) -> dict[str, Any]:
    """Estimate each searched setting's share in reaching the best values.

    Parameters
    ----------
    trials
        Of the study. Complete ones count, but for duplicates and those outside `space`.
    space
        Dotted setting name to distribution, see `tuner.search.space.distributions`.
    direction
        "maximize" or "minimize".
    seed
        Of the resamples.
    n_resamples
        Bootstrap resamples, and as many shuffles. None: 100, fewer above 100 trials (never
        under 40), so that it takes about 2 s for 100 trials and 7 s for 1,000.

    Returns
    -------
    dict, JSON-ready
        `method`; `n_trials` used; `top_trials`, how many of them count as best (more where
        values are equal); `n_resamples`;
        `parameters`, most important first, each with `name`, `importance` (shares adding up to
        1), `low` and `high` (95 % of the resamples) and `above_chance`; `chance`, the share
        that the largest stays below in 95 of 100 shuffles, in which no setting has an effect;
        `reason`, why `parameters` is empty, else None; `notes`, how to read it.

    Notes
    -----
    PED-ANOVA, Watanabe et al. (2023), arXiv:2304.10255: the Pearson divergence between the
    densities of the best trials and of all trials, one setting at a time. The best are a tenth
    of the trials, but at least 5 (Optuna's advice). Intervals are percentiles over bootstrap
    resamples of the trials, widened to hold the estimate: they lean towards equal shares, since
    a resample has fewer different trials. `chance` shuffles the values over the trials and
    takes the largest divergence of all settings (single-step maximum, Westfall and Young 1993).
    """
    varied = {name: each for name, each in space.items() if not each.single()}
    used = _usable(trials, varied)
    if n_resamples is None:
        n_resamples = max(RESAMPLES_MIN, min(RESAMPLES, 100 * RESAMPLES // max(1, len(used))))
    n_top = max(TOP_TRIALS_MIN, math.ceil(len(used) / 10))
    result: dict[str, Any] = {
        "method": "PED-ANOVA",
        "n_trials": len(used),
        "top_trials": min(n_top, len(used)),
        "n_resamples": n_resamples,
        "parameters": [],
        "chance": None,
        "reason": None,
        "notes": _notes(trials),
    }
    values = np.array([trial.value for trial in used], np.float64)
    if not varied:
        return {**result, "reason": "no setting was searched"}
    if len(used) < TRIALS_MIN:
        return {
            **result,
            "reason": f"needs {TRIALS_MIN} different complete trials; there are {len(used)}",
        }
    if np.all(values == values[0]):
        return {**result, "reason": "all complete trials have the same value"}

    with warnings.catch_warnings():
        # Ties and small samples are met below; a warning a resample says nothing more.
        warnings.simplefilter("ignore")
        measure = _Measure(used, direction, n_top)
        generator = np.random.default_rng(seed)
        n = len(used)
        point = measure.on(np.arange(n))
        samples = [measure.on(generator.integers(0, n, n)) for _ in range(n_resamples)]
        shuffled = [measure.shuffled(generator.permutation(n)) for _ in range(n_resamples)]

    total = sum(point.values())
    shares = [_shares(sample) for sample in samples if sum(sample.values()) > 0]
    if total <= 0 or not shares:
        return {**result, "reason": "too many complete trials share the best value"}
    largest = [max(each.values()) for each in shuffled]
    chance = min(1.0, float(np.quantile(largest, 0.95, method="weibull")) / total)
    parameters = []
    for name in sorted(point, key=lambda name: (-point[name], name)):
        low, high = np.quantile([share[name] for share in shares], [0.025, 0.975])
        share = point[name] / total
        parameters.append(
            {
                "name": name,
                "importance": share,
                "low": min(float(low), share),
                "high": max(float(high), share),
                "above_chance": share > chance,
            }
        )
    return {**result, "parameters": parameters, "chance": chance}


def _usable(
    trials: Sequence[TrialRecord], space: Mapping[str, BaseDistribution]
) -> list[FrozenTrial]:
    """Give the complete trials that are no copies and lie in the space."""
    frozen = []
    for trial in trials:
        if (
            trial.state != "complete"
            or trial.value is None
            or trial.attributes.get("duplicate_of") is not None
            or not space.keys() <= trial.params.keys()
        ):
            continue
        try:
            frozen.append(
                create_trial(
                    params={name: trial.params[name] for name in space},
                    distributions=dict(space),
                    value=trial.value,
                )
            )
        except ValueError:
            continue  # a value outside its range, which Optuna refuses here
    return frozen


def _notes(trials: Sequence[TrialRecord]) -> list[str]:
    notes = [
        "Importance tells what set the best trials apart from the others of this search, within "
        "the ranges searched. It is no effect of a setting changed alone.",
        "A sampler that follows good values narrows several settings at once, so one without an "
        "effect can look important.",
    ]
    n_pruned = sum(trial.state == "pruned" for trial in trials)
    if n_pruned:
        notes.append(
            f"{counted(n_pruned, 'pruned trial')} without a value left out: what remains is a "
            "selected sample, in which settings that were pruned early seem to matter less."
        )
    return notes


class _Measure:
    """PED-ANOVA over samples of one set of trials."""

    def __init__(self, trials: Sequence[FrozenTrial], direction: str, n_top: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = InMemoryStorage()
        storage.create_new_study([StudyDirection[direction.upper()]], _STUDY)
        full = optuna.load_study(study_name=_STUDY, storage=storage)
        full.add_trials(trials)
        self._study = _Sample(study_name=_STUDY, storage=storage)
        self._trials = full.get_trials(states=(TrialState.COMPLETE,))
        self._sign = 1.0 if direction == "minimize" else -1.0
        # Loads scikit-learn, which takes a second.
        from optuna.importance import PedAnovaImportanceEvaluator

        self._evaluator = PedAnovaImportanceEvaluator(
            # Rounded up by Optuna; the half keeps 5 / n * n from becoming a little more than 5.
            target_quantile=(n_top - 0.5) / len(trials)
        )

    def on(self, rows: npt.NDArray[np.integer[Any]]) -> dict[str, float]:
        """Give the divergence of each parameter over these trials, some perhaps repeated."""
        self._study.sample = [self._trials[row] for row in rows]
        return self._evaluator.evaluate(self._study)

    def shuffled(self, order: npt.NDArray[np.integer[Any]]) -> dict[str, float]:
        """Give the divergences when each trial bears another one's value."""
        values = {
            trial.number: self._sign * (self._trials[row].value or 0.0)
            for trial, row in zip(self._trials, order, strict=True)
        }
        self._study.sample = self._trials
        # A target of one's own is always minimised.
        return self._evaluator.evaluate(self._study, target=lambda trial: values[trial.number])


def _shares(divergences: Mapping[str, float]) -> dict[str, float]:
    total = sum(divergences.values())
    return {name: value / total for name, value in divergences.items()}
