"""Watch a study that other processes run, as if it ran here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from tuner.records import Progress, StopRequested, TrialRecord
from tuner.search import EndsEarly, Search, check_failures, count_trials

__all__ = ["Watcher", "Workers", "run_with_workers"]

_SECONDS = 0.5


class Workers(Protocol):
    """Workers of one study, which run while this is entered; see `LocalWorkers`."""

    def __enter__(self) -> object:
        """Start them."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ask them to hand back their trials, and end them."""

    def tend(self) -> None:
        """Start those again that have ended; raises when that does not help."""

    def trial_finished(self) -> None:
        """Hear that the study gets on."""


class Watcher:
    """Tells a `Progress` what has changed since the last look.

    Of a trial that runs again it tells the epochs that nobody has run before, and of one that
    has the result of another none.
    """

    def __init__(self, trials: Sequence[TrialRecord], progress: Progress) -> None:
        self._progress = progress
        self._ended = {trial.number for trial in trials if trial.state != "running"}
        self._started: set[int] = set()
        # By origin: attempts at one trial go on with its epochs.
        self._epochs: dict[int, int] = {}
        for trial in trials:
            self._note_epochs(trial)

    def look(self, trials: Sequence[TrialRecord]) -> int:
        """Pass on what is new, and give the count of trials that have ended."""
        n_ended = 0
        for trial in trials:
            if trial.number in self._ended:
                continue
            self._follow(trial)
            if trial.state != "running":
                self._ended.add(trial.number)
                self._progress.trial_finished(trial)
                n_ended += 1
        return n_ended

    def _follow(self, trial: TrialRecord) -> None:
        if trial.number not in self._started:
            if not trial.params:
                return  # still drawing
            self._progress.trial_started(trial.number, trial.params)
            self._started.add(trial.number)
        if "duplicate_of" not in trial.attributes:
            known = self._epochs.get(trial.origin, 0)
            for epoch, value in sorted(trial.intermediate.items()):
                if epoch > known:
                    self._progress.epoch_finished(trial.number, epoch, value)
        self._note_epochs(trial)

    def _note_epochs(self, trial: TrialRecord) -> None:
        known = self._epochs.get(trial.origin, 0)
        self._epochs[trial.origin] = max([known, *trial.intermediate])


def run_with_workers(
    search: Search,
    workers: Workers,
    *,
    total: int,
    progress: Progress,
    stop_requested: StopRequested,
    ends_early: EndsEarly,
) -> str:
    """Let workers run a study until it has `total` finished trials; see `Search.run`."""
    watcher = Watcher(search.trials(), progress)
    early: str | None = None
    with workers:
        while True:
            stop_requested()
            search.reap()
            trials = search.trials()
            if watcher.look(trials):
                workers.trial_finished()
            counts = count_trials(trials)
            if counts["finished"] >= total:
                return "complete"
            if search.is_exhausted():
                return "exhausted"
            check_failures(trials)
            if early is None:
                early = ends_early(trials)
                if early is not None and not search.close_to_workers(early):
                    return early  # others go on with it
            if early is None:
                workers.tend()
            elif not counts["running"]:
                return early
            time.sleep(_SECONDS)
