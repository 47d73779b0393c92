"""The race of a confirmation: contenders on the same seeds, the losers leave early."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tuner.config import Settings, apply_params
from tuner.errors import TrialDied, TrialFailed
from tuner.evaluation import repetitions
from tuner.records import ConfirmationProgress, StopRequested, TrialOutcome, TrialRecord
from tuner.search.retries import DEATHS_MAX

__all__ = ["Contender", "LostRun", "Race", "RunOnce"]

_log = logging.getLogger(__name__)

REPETITIONS_MIN = 2  # even when the time is up: one run tells no spread


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
class LostRun:
    """A run that came to nothing, which ended the race for its trial; `repetition` from 0."""

    trial: int
    repetition: int
    reason: str


class RunOnce(Protocol):
    """Runs a configuration once, under a repetition's number."""

    def __call__(
        self, settings: Settings, *, repetition: int, stop_requested: StopRequested
    ) -> TrialOutcome:
        """Run it."""


class Race:
    """Successive rejects over the contenders.

    Parameters
    ----------
    kind
        Of the confirmation.
    run_once
        Runs a configuration under a repetition's number.
    done, note
        Runs of earlier processes, which are not run again, and where to keep a new one.
    progress
        Hears of every run.
    time_is_up
        Asked before each repetition; ends the race, but never before the third.
    """

    def __init__(
        self,
        settings: Settings,
        kind: str,
        run_once: RunOnce,
        done: Mapping[str, Mapping[str, Any]],
        note: Callable[[str, Mapping[str, Any]], None],
        progress: ConfirmationProgress,
        stop_requested: StopRequested,
        time_is_up: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._kind = kind
        self._run_once = run_once
        self._done = dict(done)
        self._note = note
        self._progress = progress
        self._stop_requested = stop_requested
        self._time_is_up = time_is_up

    def run(self, candidates: Sequence[TrialRecord], n_seeds: int) -> list[Contender]:
        """Give all who ran, in the order of the candidates."""
        sign = 1.0 if self._settings.direction == "maximize" else -1.0
        leaving = list(repetitions(len(candidates), n_seeds))
        values: dict[int, list[float]] = {trial.number: [] for trial in candidates}
        left = list(candidates)
        for repetition in range(n_seeds):
            if repetition >= REPETITIONS_MIN and self._time_is_up():
                _log.warning(
                    "the budget is spent: confirmed on %d of %d seeds", repetition, n_seeds
                )
                break
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
            float(self._done[self.key(contender.trial, repetition)]["seconds"])
            for contender in contenders
            for repetition in range(len(contender.values))
        )

    def lost(self, candidates: Sequence[TrialRecord], n_seeds: int) -> list[LostRun]:
        """Give the candidates' runs that came to nothing, in whatever process."""
        found = (
            (trial, repetition, self._done.get(self.key(trial, repetition)))
            for trial in candidates
            for repetition in range(n_seeds)
        )
        return [
            LostRun(trial.number, repetition, str(run.get("failure", "unknown")))
            for trial, repetition, run in found
            if run is not None and run["value"] is None
        ]

    def key(self, trial: TrialRecord, repetition: int) -> str:
        """Give the name under which a run is kept."""
        return f"{self._kind}:{trial.origin}:{repetition}"

    def _value(self, trial: TrialRecord, repetition: int) -> float | None:
        key = self.key(trial, repetition)
        is_new = key not in self._done
        if is_new:
            self._stop_requested()
            self._done[key] = self._measure(trial, repetition)
            self._note(key, self._done[key])
        found = self._done[key]
        value = None if found["value"] is None else float(found["value"])
        self._progress.confirmation_run_finished(
            trial, repetition, value, float(found["seconds"]) if is_new else None
        )
        return value

    def _measure(self, trial: TrialRecord, repetition: int) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            outcome = self._run_to_its_end(trial, repetition)
        except TrialFailed as failure:
            _log.warning("confirmation of trial %d failed: %s", trial.number, failure)
            return {"value": None, "failure": str(failure), "seconds": 0.0}
        return {
            "value": outcome.value,
            "best_epoch": outcome.best_epoch,
            "validation": outcome.validation.value(self._settings.study.metric),
            "seconds": round(time.perf_counter() - started, 3),
        }

    def _run_to_its_end(self, trial: TrialRecord, repetition: int) -> TrialOutcome:
        """Run it, and again when its guarded process dies, as often as a trial of the search.

        Raises
        ------
        TrialFailed
            As the run's own, and after too many deaths in one epoch.
        """
        deaths: list[int] = []
        while True:
            try:
                return self._run_once(
                    apply_params(self._settings, trial.params),
                    repetition=repetition,
                    stop_requested=self._stop_requested,
                )
            except TrialDied as death:
                reason = death.reason
                deaths.append(death.epoch)
                if deaths.count(death.epoch) >= DEATHS_MAX:
                    raise TrialFailed(
                        f"set aside after {DEATHS_MAX} deaths in one epoch: {reason}"
                    ) from death
                _log.warning("confirmation of trial %d runs again: %s", trial.number, reason)
