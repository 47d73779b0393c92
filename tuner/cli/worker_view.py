"""How the trials of one worker among others look: lines that count everybody's trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuner.cli.progress import LineView
from tuner.cli.tally import Tally
from tuner.records import TrialRecord

__all__ = ["WorkerView"]


class WorkerView(LineView):
    """One log line for each trial of this worker, with its study's name and its study's counts.

    Parameters
    ----------
    tally
        Counts the trials of all workers.
    study
        Name of the study.
    read_trials
        Gives the study's trials as they are now.
    read_total
        Gives the finished trials that the study shall have now.
    """

    def __init__(
        self,
        tally: Tally,
        *,
        study: str,
        read_trials: Callable[[], Sequence[TrialRecord]],
        read_total: Callable[[], int],
    ) -> None:
        super().__init__(tally, study=study)
        self._read_trials = read_trials
        self._read_total = read_total
        self._counted: set[int] = set()

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Take over the counts."""
        super().study_started(trials)
        self._counted = {trial.number for trial in trials if trial.state != "running"}

    def trial_finished(self, trial: TrialRecord) -> None:
        """Count what other workers have finished since, then log the trial."""
        trials = self._read_trials()
        for other in trials:
            if other.state != "running" and other.number not in {*self._counted, trial.number}:
                self._tally.add(other)
                self._counted.add(other.number)
        self._counted.add(trial.number)
        self._tally.total = self._read_total()
        self._tally.workers = 1 + sum(other.state == "running" for other in trials)
        super().trial_finished(trial)
