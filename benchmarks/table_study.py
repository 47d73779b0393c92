"""A study on recorded curves: real samplers and pruners, looked-up training.

`read_tables` reads what `bench_table.py` wrote; `run_study` replays one study on one table. The
sampler is the product's own, built anew for every trial with the product's derived seed, and it
proposes in the whole space. A proposal is taken to the nearest configuration of the table that
this study has not run, and the sampler is told that configuration as its trial: it never sees a
value that was not measured. (A search over 400 numbered choices would take the geometry from the
samplers that live by it; a regression in place of the measurements would be kinder to some of them
than to others.) Near is measured in the unit cube of the space, logarithmic where the space is,
each setting weighted by what it explains of the table's values (impurity importance of a random
forest): with equal weights the settings that matter little would choose most of the match.

Workers are simulated: each runs its trial epoch by epoch, the epochs of a trial last 1 ± 20 %, and
a worker asks for the next trial as soon as its own has ended.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from tuner.config import Settings
from tuner.search.space import distributions, suggest

BuildSampler = Callable[[int], BaseSampler]
"""From a trial's number to its sampler."""


@dataclass(frozen=True)
class Table:
    """Measured configurations of one data set; row 0 is the default settings.

    `curves` (rows, epochs) are validation objectives, `selection` and `test` (rows,) those of the
    best epoch's weights; `points` (rows, settings) are the configurations as the matching sees
    them, `weights` (settings,) what each setting counts there.
    """

    name: str
    space: Mapping[str, BaseDistribution]
    params: list[dict[str, Any]]
    curves: np.ndarray
    selection: np.ndarray
    test: np.ndarray
    points: np.ndarray
    weights: np.ndarray
    about: dict[str, Any]

    @property
    def n_epochs(self) -> int:
        return self.curves.shape[1]

    def nearest(self, params: Mapping[str, Any], free: set[int]) -> int:
        rows = np.fromiter(sorted(free), int)
        point = unit_point(self.space, params) * self.weights
        return int(rows[np.square(self.points[rows] - point).sum(axis=1).argmin()])


def read_tables(path: Path) -> list[Table]:
    """Read the tables; configurations that diverged are left out."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        make_table(row, [other for other in rows if other["set"] == row["set"]])
        for row in rows
        if "settings" in row
    ]


def make_table(about: dict[str, Any], rows: list[dict[str, Any]]) -> Table:
    from sklearn.ensemble import RandomForestRegressor

    space = distributions(Settings.model_validate(about["settings"]))
    measured = sorted((r for r in rows if "selection" in r), key=lambda r: r["number"])
    unit = np.array([unit_point(space, row["params"]) for row in measured])
    selection = np.array([row["selection"] for row in measured])
    forest = RandomForestRegressor(n_estimators=200, min_samples_leaf=3, random_state=0)
    weights = np.sqrt(forest.fit(unit, selection).feature_importances_)
    return Table(
        about["set"],
        space,
        [row["params"] for row in measured],
        np.array([row["validation"] for row in measured]),
        selection,
        np.array([row["test"] for row in measured]),
        unit * weights,
        weights,
        about,
    )


def unit_point(space: Mapping[str, BaseDistribution], params: Mapping[str, Any]) -> np.ndarray:
    """Give a configuration in the unit cube, (settings,)."""
    point = []
    for name, found in space.items():
        low, high, value = found.low, found.high, params[name]
        if found.log:
            low, high, value = log(low), log(high), log(value)
        point.append((value - low) / (high - low) if high > low else 0.0)
    return np.array(point)


class OnTable(BaseSampler):
    """Takes a sampler's proposal to the nearest row that the study has not run."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.free = set(range(len(table.params)))
        self.row_of: dict[int, int] = {}
        self.inner: BaseSampler = optuna.samplers.RandomSampler()

    def infer_relative_search_space(self, study, trial):
        return dict(self.table.space)

    def sample_relative(self, study, trial, search_space):
        row = 0
        if trial.number:  # trial 0 runs the default settings
            row = self.table.nearest(self.propose(study, trial), self.free)
        self.free.remove(row)
        self.row_of[trial.number] = row
        return self.table.params[row]

    def propose(self, study, trial) -> dict[str, Any]:
        space = self.inner.infer_relative_search_space(study, trial)
        proposal = dict(self.inner.sample_relative(study, trial, space))
        for name, distribution in self.table.space.items():
            if name not in proposal:
                proposal[name] = self.inner.sample_independent(study, trial, name, distribution)
        return proposal

    def sample_independent(self, study, trial, param_name, param_distribution):
        raise AssertionError("every setting is in the relative space")

    def after_trial(self, study, trial, state, values):
        self.inner.after_trial(study, trial, state, values)


@dataclass(frozen=True)
class Replay:
    """A replayed study, trials in the order in which they ended.

    `rows` are table rows, `pruned` whether the trial was cut off, `epochs` what it ran, `spent`
    the epochs of all trials up to its end. Each (trials,). `order` (trials,) are the table rows in
    the order in which their trials began.
    """

    rows: np.ndarray
    pruned: np.ndarray
    epochs: np.ndarray
    spent: np.ndarray
    order: np.ndarray


def run_study(
    table: Table,
    build_sampler: BuildSampler,
    pruner: BasePruner,
    *,
    seed: int,
    n_trials: int | None = None,
    n_epochs: int | None = None,
    n_workers: int = 1,
) -> Replay:
    """Replay a study of `n_trials`, or of as many trials as `n_epochs` pay for."""
    sampler = OnTable(table)
    # The name decides Hyperband's brackets: each seed has its own.
    study = optuna.create_study(
        study_name=f"{table.name} {seed}", direction="maximize", sampler=sampler, pruner=pruner
    )
    limit = len(table.params) if n_trials is None else n_trials
    generator = np.random.default_rng([seed, n_workers])
    ended: list[tuple[int, bool, int, int]] = []
    waiting: list[tuple[float, int, optuna.Trial, int, float]] = []
    spent = 0

    def start(now: float) -> None:
        number = len(sampler.row_of)
        if number >= limit or (n_epochs is not None and spent >= n_epochs):
            return
        sampler.inner = build_sampler(number)
        trial = study.ask()
        suggest(trial, table.space)
        pace = generator.uniform(0.8, 1.2)
        heapq.heappush(waiting, (now + pace, number, trial, 1, pace))

    for worker in range(n_workers):
        start(0.001 * worker)
    while waiting:
        now, number, trial, epoch, pace = heapq.heappop(waiting)
        row = sampler.row_of[number]
        spent += 1
        trial.report(float(table.curves[row, epoch - 1]), step=epoch)
        if number and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            ended.append((row, True, epoch, spent))
        elif epoch == table.n_epochs:
            study.tell(trial, float(table.selection[row]))
            ended.append((row, False, epoch, spent))
        else:
            heapq.heappush(waiting, (now + pace, number, trial, epoch + 1, pace))
            continue
        start(now)
    rows, pruned, epochs, at = (np.array(column) for column in zip(*ended, strict=True))
    order = np.array([sampler.row_of[number] for number in sorted(sampler.row_of)])
    return Replay(rows, pruned.astype(bool), epochs, at, order)


def best_row(table: Table, replay: Replay, *, spent: int | None = None) -> int:
    """Give the row of the complete trial with the best selection value, by `spent` epochs."""
    rows = replay.rows[~replay.pruned & (replay.spent <= (spent or replay.spent[-1]))]
    return int(rows[table.selection[rows].argmax()])


def top_pruned(values: np.ndarray, replay: Replay, *, n: int, top: int = 5) -> float:
    """Give the share of the `top` best of the first `n` trials that was pruned.

    `values` (table rows,) say what is best; a pruned trial counts with what it would have got.
    """
    first = set(replay.order[:n].tolist())
    kept = np.array([row in first for row in replay.rows])
    rows, pruned = replay.rows[kept], replay.pruned[kept]
    best = np.argsort(-values[rows], kind="stable")[:top]
    return float(pruned[best].mean())
