"""Whether one more repetition of a confirmation fits into the budget."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tuner.evaluation import repetitions
from tuner.records import ConfirmationProgress, TrialRecord

__all__ = ["ConfirmationClock"]


class ConfirmationClock:
    """Measures the runs of a confirmation on their way to whoever watches them.

    Parameters
    ----------
    progress
        Hears of every run, as without this.
    n_seeds
        Repetitions of the whole race.
    deadline
        When the confirmation is to be over, by `clock`.
    """

    def __init__(
        self,
        progress: ConfirmationProgress,
        *,
        n_seeds: int,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._n_seeds = n_seeds
        self._deadline = deadline
        self._clock = clock
        self._repetition = -1
        self._n_contenders = 0
        self._seconds: list[float] = []

    def confirmation_started(self, n_runs: int, n_done: int, seconds_left: float) -> None:
        """Pass it on."""
        self._progress.confirmation_started(n_runs, n_done, seconds_left)

    def confirmation_run_finished(
        self, trial: TrialRecord, repetition: int, value: float | None, seconds: float | None
    ) -> None:
        """Measure the run, and pass it on."""
        if repetition != self._repetition:
            self._repetition, self._seconds = repetition, []
        self._n_contenders += repetition == 0
        if seconds is not None:
            self._seconds.append(seconds)
        self._progress.confirmation_run_finished(trial, repetition, value, seconds)

    def is_up(self) -> bool:
        """Say whether the next repetition would end too late, by what the last one took.

        Its longest run once, which made the fold ready, and the mean for every other contender.
        """
        leaving = repetitions(self._n_contenders, self._n_seeds)
        n_left = sum(stop > self._repetition + 1 for stop in leaving)
        ahead = 0.0
        if self._seconds:
            ahead = max(self._seconds) + (n_left - 1) * statistics.fmean(self._seconds)
        return self._clock() + ahead >= self._deadline
