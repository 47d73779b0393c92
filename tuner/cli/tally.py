"""What a running study has done and what is left, whatever shows it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tuner.records import TrialRecord, telling_trials

__all__ = ["ConfirmationTally", "Tally", "duration"]


class Tally:
    """Counts of a running study and what is left, from the trials seen so far.

    Parameters
    ----------
    runs_after
        Runs of the confirmation that follows the search.
    workers
        Processes that share the trials; the confirmation runs in one.

    Attributes
    ----------
    total, workers
        As above; both may change while the study runs.
    seconds_after
        What comes after the confirmation: the sealed test, its baselines, the report.
    """

    def __init__(
        self, total: int, metric: str, direction: str, *, runs_after: int = 0, workers: int = 1
    ) -> None:
        self.total = total
        self.seconds_after = 0.0
        self.workers = workers
        self.metric = metric
        self.direction = direction
        self._runs_after = runs_after
        self._sign = 1.0 if direction == "maximize" else -1.0
        self.complete = self.pruned = self.failed = 0
        self.best: TrialRecord | None = None
        self.last_failure: TrialRecord | None = None
        self._timed: list[TrialRecord] = []  # of this run

    def begin(self, trials: Sequence[TrialRecord]) -> None:
        """Take over what an earlier run has finished."""
        for trial in trials:
            if trial.state != "running":
                self.add(trial)
        self._timed.clear()  # another machine's, perhaps

    def add(self, trial: TrialRecord) -> bool:
        """Count a trial; True if it is the new best."""
        if trial.state == "failed":
            if not trial.is_retried:
                self.failed += 1
                self.last_failure = trial
            return False
        if trial.seconds is not None:
            self._timed.append(trial)
        if trial.state == "pruned":
            self.pruned += 1
            return False
        self.complete += 1
        is_better = trial.value is not None and (
            self.best is None or self._sign * trial.value > self._sign * (self.best.value or 0.0)
        )
        if is_better:
            self.best = trial
        return is_better

    @property
    def finished(self) -> int:
        """Complete and pruned trials."""
        return self.complete + self.pruned

    @property
    def seconds_left(self) -> float:
        """Estimate for all that is left; infinite before the second trial.

        By the mean of the last 20 trials but for what compiling took, which counts by its median:
        where most trials compile, as when widths are searched, it does not end. For the
        confirmation, where nothing is pruned and all is compiled, by the last 20 complete ones.
        """
        recent = telling_trials(self._timed)
        if not recent:
            return math.inf
        complete = [trial for trial in self._timed if trial.state == "complete"]
        whole = telling_trials(complete) or recent
        one_more = statistics.fmean(trial.working_seconds for trial in recent)
        one_more += statistics.median(trial.compile_seconds for trial in recent)
        one_run = statistics.fmean(trial.working_seconds for trial in whole)
        ahead = max(0, self.total - self.finished) * one_more / self.workers
        return ahead + self._runs_after * one_run + self.seconds_after


class ConfirmationTally:
    """Runs of the confirmation, the means so far, and what is left.

    Parameters
    ----------
    n_runs, n_done
        Runs of the whole confirmation, and those an earlier process has finished.
    seconds_left
        Estimate before the first run.
    seconds_after
        What comes after the last one.
    """

    def __init__(
        self,
        n_runs: int,
        n_done: int,
        seconds_left: float,
        direction: str,
        *,
        seconds_after: float = 0.0,
    ) -> None:
        self.n_runs = n_runs
        self.n_done = n_done
        self._seconds_left = seconds_left
        self._seconds_after = seconds_after
        self._sign = 1.0 if direction == "maximize" else -1.0
        self._seconds: list[float] = []
        self._values: dict[int, list[float]] = {}

    def add(self, number: int, value: float | None, seconds: float | None) -> None:
        """Count a run of a trial; no value for one that failed, no seconds for an earlier one."""
        if seconds is not None:
            self.n_done += 1
            self._seconds.append(seconds)
        if value is not None:
            self._values.setdefault(number, []).append(value)

    @property
    def leader(self) -> tuple[int, float, int] | None:
        """Trial of those with the most runs that has the best mean, the mean, and its runs."""
        if not self._values:
            return None
        most = max(len(values) for values in self._values.values())
        means = {
            number: statistics.fmean(values)
            for number, values in self._values.items()
            if len(values) == most
        }
        best = max(means, key=lambda number: (self._sign * means[number], -number))
        return best, means[best], most

    @property
    def seconds_left(self) -> float:
        """Estimate from the mean of the finished runs, and what comes after."""
        if not self._seconds:
            return self._seconds_left + self._seconds_after
        n_left = max(0, self.n_runs - self.n_done)
        return n_left * statistics.fmean(self._seconds) + self._seconds_after


def duration(seconds: float) -> str:
    """Write a time as a person says it; `?` for an infinite one.

    >>> duration(12.3), duration(600), duration(9000)
    ('12 s', '10 min', '2.5 h')
    """
    if math.isinf(seconds):
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
