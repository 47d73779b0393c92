"""Confirmation: the best trials of the search run again, and the best mean wins."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from filelock import FileLock, Timeout

from tuner.config import Settings
from tuner.evaluation import held_out_values, mean_interval, runs_needed
from tuner.last_resort import in_my_place
from tuner.metrics import METRICS
from tuner.persist import disk_errors
from tuner.records import (
    ConfirmationProgress,
    SearchParts,
    Spent,
    StopRequested,
    TrialOutcome,
    TrialRecord,
    TrialSeeds,
)
from tuner.search import Search, default_trial, top_trials
from tuner.seeds import Stream, derive_seed
from tuner.service.folds import Folds
from tuner.service.race import Contender, LostRun, Race, RunOnce
from tuner.service.results import Results
from tuner.service.runners import Runner

__all__ = ["Confirmation", "ConfirmationPlan", "confirm", "kind_for", "n_folds_for"]

_log = logging.getLogger(__name__)

ROWS_TO_RANK_BY = 2_000  # with fewer, chance alone moves a selection score by a point and more
FOLDS_MIN = 3


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """The best `top` trials and the default settings on up to `seeds` fresh seeds (or folds)."""

    top: int = 5
    seeds: int = 5

    def candidates(self, trials: Sequence[TrialRecord], direction: str) -> list[TrialRecord]:
        """Give the trials that are confirmed, best first.

        Those that lead a search lead by luck too, on few rows by nothing else. So the default
        settings, which no luck chose, are among them wherever they stand.
        """
        best = top_trials(trials, direction, self.top)
        default = default_trial(trials)
        return best if default is None or default in best else [*best, default]

    def runs(self, n_trials: int) -> int:
        """Count the runs of so many complete trials, at most."""
        return runs_needed(min(self.top + 1, n_trials), self.seeds)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the confirmation found.

    `kind` is "seeds" (the same split, fresh seeds) or "cross_validation" (fresh seeds and folds);
    `contenders` come in the order of the search, the winner among them; `lost` are runs that
    came to nothing.
    """

    kind: str
    plan: ConfirmationPlan
    contenders: tuple[Contender, ...]
    lost: tuple[LostRun, ...]
    winner: Contender
    seconds: float
    metric: str

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data.

        `mean` and its kin are of `values`, which had no say in the choice of the winner;
        `winner_mean` is the mean of the winner's own runs, by which it was chosen.
        """
        metric = METRICS[self.metric]
        sign = 1.0 if metric.direction == "maximize" else -1.0
        values = held_out_values(
            {contender.trial.number: contender.values for contender in self.contenders},
            self.winner.trial.number,
            sign=sign,
        )
        mean = statistics.fmean(values)
        interval = mean_interval(values, least=metric.least, most=metric.most)
        search_value = self.winner.trial.value or 0.0
        return {
            "kind": self.kind,
            "top": self.plan.top,
            "seeds": self.plan.seeds,
            "mean": mean,
            "standard_deviation": statistics.stdev(values) if len(values) > 1 else None,
            "interval": interval.as_json() if interval is not None else None,
            "values": list(values),
            "winner_mean": self.winner.mean,
            "optimism": sign * (search_value - mean),
            "runs": sum(len(contender.values) for contender in self.contenders),
            "lost_runs": [asdict(run) for run in self.lost],
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
    """Say how trials are confirmed.

    "cross_validation" where selection has fewer than 2,000 rows, which is below 20,000 rows with
    the default shares; else "seeds".
    """
    return "cross_validation" if len(parts.selection) < ROWS_TO_RANK_BY else "seeds"


def n_folds_for(parts: SearchParts) -> int:
    """Give the number of folds whose size is that of selection, at least 3.

    So a fold trains on as many rows as the search did, and its score is not that of a model
    with less to learn from.
    """
    n_open = len(parts.train) + len(parts.validation) + len(parts.selection)
    return max(FOLDS_MIN, round(n_open / len(parts.selection)))


def confirm(
    search: Search,
    results: Results,
    plan: ConfirmationPlan,
    *,
    runner: Callable[[], Runner],
    progress: ConfirmationProgress,
    stop_requested: StopRequested,
    time_is_up: Callable[[], bool] = lambda: False,
) -> Confirmation | None:
    """Run the best trials again on fresh seeds, losers dropped early; the best mean wins.

    Finished runs are kept in the study at once, so that an interrupted confirmation goes on
    where it was. All contenders meet the same seeds and folds. The sealed test has no part in it.

    Parameters
    ----------
    runner
        Gives what runs configurations; asked only when something is left to run.
    progress
        Hears of every run.
    time_is_up
        Ends the race between two repetitions, but never before the third.

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
    candidates = plan.candidates(search.trials(), settings.direction)
    if not candidates:
        return None
    kind = kind_for(results.parts)
    run_once = _run_once(kind, results, runner)
    with _one_process(results, stop_requested):
        done = search.confirmations()
        race = Race(
            settings,
            kind,
            run_once,
            done=done,
            note=search.note_confirmation,
            progress=progress,
            stop_requested=stop_requested,
            time_is_up=time_is_up,
        )
        mine = {race.key(trial, n) for trial in candidates for n in range(plan.seeds)}
        _say_cost(candidates, plan, kind, len(mine & set(done)), progress)
        contenders = race.run(candidates, plan.seeds)
        lost = race.lost(candidates, plan.seeds)
    if not contenders:
        _log.warning(
            "none of %d trials could be confirmed: the best one of the search is taken",
            len(candidates),
        )
        return None
    sign = 1.0 if settings.direction == "maximize" else -1.0
    most = max(len(contender.values) for contender in contenders)
    finalists = [contender for contender in contenders if len(contender.values) == most]
    winner = max(finalists, key=lambda c: (sign * c.mean, -c.trial.number))
    return Confirmation(
        kind,
        plan,
        tuple(contenders),
        tuple(lost),
        winner,
        race.seconds(contenders),
        settings.study.metric,
    )


def _say_cost(
    candidates: Sequence[TrialRecord],
    plan: ConfirmationPlan,
    kind: str,
    n_done: int,
    progress: ConfirmationProgress,
) -> None:
    n_runs = runs_needed(len(candidates), plan.seeds)
    seconds = statistics.fmean(trial.working_seconds for trial in candidates)
    seconds_left = max(0, n_runs - n_done) * seconds
    how = "fresh seeds" if kind == "seeds" else "fresh seeds, by cross-validation"
    _log.info(
        "confirming %s on up to %d %s: %d runs, about %.0f s%s",
        _named(candidates, plan),
        plan.seeds,
        how,
        n_runs,
        seconds_left,
        f"; {n_done} are done" if n_done else "",
    )
    progress.confirmation_started(n_runs, n_done, seconds_left)


def _named(candidates: Sequence[TrialRecord], plan: ConfirmationPlan) -> str:
    n_best = min(plan.top, len(candidates))
    named = "the best trial" if n_best == 1 else f"the best {n_best} trials"
    return named if len(candidates) == n_best else f"{named} and the default settings"


def _seeds(settings: Settings, repetition: int) -> TrialSeeds:
    """Fresh seeds of a repetition, the same for all contenders, so that they compare in pairs."""
    base = derive_seed(settings.study.seed, repetition, Stream.CONFIRMATION)
    return TrialSeeds(
        weights=derive_seed(base, 0, Stream.WEIGHTS),
        order=derive_seed(base, 0, Stream.ORDER),
        dropout=derive_seed(base, 0, Stream.DROPOUT),
    )


def _run_once(kind: str, results: Results, runner: Callable[[], Runner]) -> RunOnce:
    n_folds = n_folds_for(results.parts)
    seed = derive_seed(results.settings.study.seed, 0, Stream.FOLDS)
    folds = Folds(results.parts, n_folds, seed=seed) if kind == "cross_validation" else None

    def run_once(
        settings: Settings, *, repetition: int, stop_requested: StopRequested
    ) -> TrialOutcome:
        with in_my_place(_nothing):
            return runner()(
                settings,
                seeds=_seeds(results.settings, repetition),
                report=_unheard,
                stop_requested=stop_requested,
                fold=None if folds is None else folds.fold(repetition % n_folds),
            )

    return run_once


def _nothing(_: int) -> None:
    """Leave a run as it is: nothing of it is kept before its end, and it is made again."""


def _unheard(*, epochs_completed: int, value: float, spent: Spent) -> None:
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
