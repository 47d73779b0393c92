"""Confirmation: the best trials of the search run again, and the best mean wins."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from filelock import FileLock, Timeout

from tuner.config import Settings, apply_params
from tuner.errors import TrialFailed
from tuner.evaluation import mean_interval, repetitions, runs_needed
from tuner.persist import disk_errors
from tuner.records import SearchParts, StopRequested, TrialOutcome, TrialRecord, TrialSeeds
from tuner.search import Search, top_trials
from tuner.seeds import Stream, derive_seed
from tuner.service.folds import Folds
from tuner.service.results import Results

__all__ = ["Confirmation", "ConfirmationPlan", "Contender", "confirm", "kind_for"]

_log = logging.getLogger(__name__)

ROWS_FOR_ONE_SPLIT = 2_000  # below, one selection part is too small to rank by
FOLDS_MIN = 3


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """The best `top` trials on up to `seeds` fresh seeds (or folds)."""

    top: int = 5
    seeds: int = 5


@dataclass(frozen=True, slots=True)
class Contender:
    """A trial of the search and its selection objective in each finished run."""

    trial: TrialRecord
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over its runs."""
        return statistics.fmean(self.values)

    @property
    def standard_deviation(self) -> float | None:
        """Standard deviation over its runs; None of a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the confirmation found.

    `kind` is "seeds" (the same split, fresh seeds) or "cross_validation" (fresh seeds and folds);
    `contenders` come in the order of the search, the winner among them.
    """

    kind: str
    plan: ConfirmationPlan
    contenders: tuple[Contender, ...]
    winner: Contender
    seconds: float
    direction: str

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data, the winner's figures first."""
        values = self.winner.values
        interval = mean_interval(values)
        search_value = self.winner.trial.value or 0.0
        sign = 1.0 if self.direction == "maximize" else -1.0
        return {
            "kind": self.kind,
            "top": self.plan.top,
            "seeds": self.plan.seeds,
            "mean": self.winner.mean,
            "standard_deviation": self.winner.standard_deviation,
            "interval": interval.as_json() if interval is not None else None,
            "values": list(values),
            "optimism": sign * (search_value - self.winner.mean),
            "runs": sum(len(contender.values) for contender in self.contenders),
            "seconds": round(self.seconds, 1),
            "trials": [
                {
                    "trial": contender.trial.number,
                    "search_value": contender.trial.value,
                    "values": list(contender.values),
                    "mean": contender.mean,
                    "standard_deviation": contender.standard_deviation,
                    "dropped": len(contender.values) < len(values),
                }
                for contender in self.contenders
            ],
        }


def kind_for(parts: SearchParts) -> str:
    """Say how trials are confirmed: by cross-validation below 2,000 rows, test rows counted."""
    rows = len(parts.train) + len(parts.validation) + len(parts.selection) + parts.n_test
    return "cross_validation" if rows < ROWS_FOR_ONE_SPLIT else "seeds"


def confirm(
    search: Search,
    results: Results,
    plan: ConfirmationPlan,
    *,
    stop_requested: StopRequested,
) -> Confirmation | None:
    """Run the best trials again on fresh seeds, losers dropped early; the best mean wins.

    Finished runs are kept in the study at once, so that an interrupted confirmation goes on
    where it was. All contenders meet the same seeds and folds. The sealed test has no part in it.

    Returns
    -------
    Confirmation or None
        None where no trial is complete, or no contender could be run.

    Raises
    ------
    Interrupted
        From `stop_requested`; finished runs stay.
    """
    settings = results.settings
    candidates = top_trials(search.trials(), settings.direction, plan.top)
    if not candidates:
        return None
    kind = kind_for(results.parts)
    runner = _runner(kind, results, n_folds=max(plan.seeds, FOLDS_MIN))
    with _one_process(results, stop_requested):
        done = search.confirmations()
        _say_cost(candidates, plan, kind, done)
        race = _Race(settings, kind, runner, done, search.note_confirmation, stop_requested)
        contenders = race.run(candidates, plan.seeds)
    if not contenders:
        return None
    sign = 1.0 if settings.direction == "maximize" else -1.0
    most = max(len(contender.values) for contender in contenders)
    finalists = [contender for contender in contenders if len(contender.values) == most]
    winner = max(finalists, key=lambda c: (sign * c.mean, -c.trial.number))
    return Confirmation(
        kind, plan, tuple(contenders), winner, race.seconds(contenders), settings.direction
    )


class _Run(Protocol):
    """Runs a configuration once, under a repetition's number."""

    def __call__(
        self, settings: Settings, *, repetition: int, stop_requested: StopRequested
    ) -> TrialOutcome:
        """Run it."""


class _Race:
    """Successive rejects over the contenders; what is in `done` is not run again."""

    def __init__(
        self,
        settings: Settings,
        kind: str,
        run_once: _Run,
        done: Mapping[str, Mapping[str, Any]],
        note: Callable[[str, Mapping[str, Any]], None],
        stop_requested: StopRequested,
    ) -> None:
        self._settings = settings
        self._kind = kind
        self._run_once = run_once
        self._done = dict(done)
        self._note = note
        self._stop_requested = stop_requested

    def run(self, candidates: Sequence[TrialRecord], n_seeds: int) -> list[Contender]:
        sign = 1.0 if self._settings.direction == "maximize" else -1.0
        leaving = list(repetitions(len(candidates), n_seeds))
        values: dict[int, list[float]] = {trial.number: [] for trial in candidates}
        left = list(candidates)
        for repetition in range(n_seeds):
            for trial in list(left):
                value = self._value(trial, repetition)
                if value is None:
                    left.remove(trial)
                else:
                    values[trial.number].append(value)
            # The last two stay to the end; before, those whose time is up go, worst first.
            n_out = sum(stop <= repetition + 1 for stop in leaving[:-1])
            while len(left) > max(1, len(candidates) - n_out) and repetition + 1 < n_seeds:
                left.remove(min(left, key=lambda t: sign * statistics.fmean(values[t.number])))
        return [Contender(t, tuple(values[t.number])) for t in candidates if values[t.number]]

    def seconds(self, contenders: Sequence[Contender]) -> float:
        """Add up what the contenders' runs took, in whatever process."""
        return sum(
            float(self._done[self._key(contender.trial, repetition)]["seconds"])
            for contender in contenders
            for repetition in range(len(contender.values))
        )

    def _key(self, trial: TrialRecord, repetition: int) -> str:
        return f"{self._kind}:{trial.origin}:{repetition}"

    def _value(self, trial: TrialRecord, repetition: int) -> float | None:
        key = self._key(trial, repetition)
        if key not in self._done:
            self._stop_requested()
            self._done[key] = self._measure(trial, repetition)
            self._note(key, self._done[key])
        value = self._done[key]["value"]
        return None if value is None else float(value)

    def _measure(self, trial: TrialRecord, repetition: int) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            outcome = self._run_once(
                apply_params(self._settings, trial.params),
                repetition=repetition,
                stop_requested=self._stop_requested,
            )
        except TrialFailed as failure:
            _log.warning("confirmation of trial %d failed: %s", trial.number, failure)
            return {"value": None, "failure": str(failure), "seconds": 0.0}
        seconds = time.perf_counter() - started
        _log.info(
            "confirming trial %d, run %d: %s %.4f (search %.4f) | %.1f s",
            trial.number,
            repetition + 1,
            self._settings.study.metric,
            outcome.value,
            trial.value or 0.0,
            seconds,
        )
        return {
            "value": outcome.value,
            "best_epoch": outcome.best_epoch,
            "validation": outcome.validation.value(self._settings.study.metric),
            "seconds": round(seconds, 3),
        }


def _say_cost(
    candidates: Sequence[TrialRecord],
    plan: ConfirmationPlan,
    kind: str,
    done: Mapping[str, Any],
) -> None:
    n_runs = runs_needed(len(candidates), plan.seeds)
    already = sum(key.startswith(f"{kind}:") for key in done)
    seconds = statistics.fmean(trial.seconds or 0.0 for trial in candidates)
    how = "fresh seeds" if kind == "seeds" else "fresh seeds, by cross-validation"
    _log.info(
        "confirming the best %d trials on up to %d %s: %d runs, about %.0f s%s",
        len(candidates),
        plan.seeds,
        how,
        n_runs,
        max(0, n_runs - already) * seconds,
        f"; {already} are done" if already else "",
    )


def _seeds(settings: Settings, repetition: int) -> TrialSeeds:
    """Fresh seeds of a repetition, the same for all contenders, so that they compare in pairs."""
    base = derive_seed(settings.study.seed, repetition, Stream.CONFIRMATION)
    return TrialSeeds(
        weights=derive_seed(base, 0, Stream.WEIGHTS),
        order=derive_seed(base, 0, Stream.ORDER),
        dropout=derive_seed(base, 0, Stream.DROPOUT),
    )


def _runner(kind: str, results: Results, *, n_folds: int) -> _Run:
    seed = derive_seed(results.settings.study.seed, 0, Stream.FOLDS)
    folds = Folds(results.pipeline, n_folds, seed=seed) if kind == "cross_validation" else None

    def run_once(
        settings: Settings, *, repetition: int, stop_requested: StopRequested
    ) -> TrialOutcome:
        pipeline = results.pipeline if folds is None else folds.pipeline(repetition)
        return pipeline.run_trial(
            settings,
            seeds=_seeds(results.settings, repetition),
            report=_unheard,
            stop_requested=stop_requested,
        )

    return run_once


def _unheard(*, epochs_completed: int, value: float) -> None:
    """Let every epoch pass: nothing is pruned here."""


@contextmanager
def _one_process(results: Results, stop_requested: StopRequested) -> Iterator[None]:
    """Let one process confirm a study at a time; another one waits, and can be stopped."""
    path = results.folder / "blobs" / ".confirmation.lock"
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    while not lock.is_locked:
        stop_requested()
        with suppress(Timeout):
            lock.acquire(timeout=1.0)
    try:
        yield
    finally:
        lock.release()
