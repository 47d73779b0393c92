"""Several watchers of one study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuner.records import Progress, StudyProgress, TrialRecord

__all__ = ["StudyWatchers", "Watchers"]


class Watchers:
    """Passes a search's progress on to all watchers, in their order."""

    def __init__(self, *watchers: Progress) -> None:
        self._watchers = watchers

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.study_started(trials)

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.trial_started(number, params)

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.epoch_finished(number, epoch, value)

    def trial_finished(self, trial: TrialRecord) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.trial_finished(trial)


class StudyWatchers(Watchers):
    """Passes progress of search and confirmation on to all watchers, in their order."""

    def __init__(self, *watchers: StudyProgress) -> None:
        super().__init__(*watchers)
        self._study_watchers = watchers

    def ending_estimated(self, seconds: float) -> None:
        """Pass it on."""
        for watcher in self._study_watchers:
            watcher.ending_estimated(seconds)

    def confirmation_started(self, n_runs: int, n_done: int, seconds_left: float) -> None:
        """Pass it on."""
        for watcher in self._study_watchers:
            watcher.confirmation_started(n_runs, n_done, seconds_left)

    def confirmation_run_finished(
        self, trial: TrialRecord, repetition: int, value: float | None, seconds: float | None
    ) -> None:
        """Pass it on."""
        for watcher in self._study_watchers:
            watcher.confirmation_run_finished(trial, repetition, value, seconds)
