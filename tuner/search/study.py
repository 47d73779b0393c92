"""Run the trials of a study: exactly those asked for, whatever died before."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from tuner.config import Settings
from tuner.errors import TrialTaken
from tuner.records import Progress, StopRequested, TrialRecord
from tuner.search.claimed import ClaimedTrial
from tuner.search.endurance import Endurance
from tuner.search.failures import check_failures
from tuner.search.grid import Grid
from tuner.search.heartbeat import Heartbeat
from tuner.search.objective import RunTrial, TrialStore
from tuner.search.owner import claiming_owner
from tuner.search.reading import count_trials
from tuner.search.sampler import build_sampler
from tuner.search.space import default_params, distributions
from tuner.search.stopwatch import Stopwatch
from tuner.search.stored_study import StoredStudy

__all__ = ["EndsEarly", "Search"]

_WAIT_SECONDS = 1.0

_log = logging.getLogger(__name__)

EndsEarly = Callable[[Sequence[TrialRecord]], str | None]


def _never(_: Sequence[TrialRecord]) -> str | None:
    return None


class Search(StoredStudy):
    """A study whose trials this process runs; its parameters are those of `StoredStudy`.

    Attributes
    ----------
    about
        What this process notes with every trial that it finishes, such as versions.
    n_classes
        Classes of the data, which the width of trial 0 may depend on.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        fingerprint: str,
        storage_url: str,
        study_name: str,
        endurance: Endurance | None = None,
        stop_requested: StopRequested = lambda: None,
        joins: bool = False,
    ) -> None:
        self.about: Mapping[str, Any] = {}
        self.n_classes = 2
        # Before the storage is opened: a space that cannot be searched leaves nothing in it.
        self.space = distributions(settings)
        self._grid = (
            Grid(self.space, seed=settings.study.seed) if settings.sampler.name == "grid" else None
        )
        self._watch = Stopwatch()
        super().__init__(
            settings,
            fingerprint=fingerprint,
            storage_url=storage_url,
            study_name=study_name,
            endurance=endurance,
            stop_requested=stop_requested,
            joins=joins,
        )

    def run(
        self,
        run_trial: RunTrial,
        *,
        total: int,
        progress: Progress,
        stop_requested: StopRequested,
        store: TrialStore,
        ends_early: EndsEarly = _never,
    ) -> str:
        """Run trials until the study has `total` finished ones.

        Parameters
        ----------
        run_trial
            Runs one configuration.
        total
            Finished trials (complete + pruned) the study shall have.
        progress
            Watches.
        stop_requested
            Raises `Interrupted` when a signal has come in.
        store
            Keeps the weights of complete trials, and the state of running ones.
        ends_early
            Asked before each trial: gives the outcome to end with, such as "timeout", or None.
            Then workers start no more trials either, and those that they run are waited for.

        Returns
        -------
        str
            "complete", "exhausted" when the whole grid has been tried, or what `ends_early` said.

        Raises
        ------
        TooManyFailures
            After 5 failed trials from the start, or 10 in a row.
        Interrupted
            From `stop_requested`; the running trial is closed first.
        """
        while True:
            stop_requested()
            trials = self.trials()
            check_failures(trials)
            early = ends_early(trials)
            if early is not None and count_trials(trials)["finished"] < total:
                return self._end_early(early, total, stop_requested)
            if self.run_one(
                run_trial,
                total=total,
                progress=progress,
                stop_requested=stop_requested,
                store=store,
            ):
                continue
            if self.counts()["finished"] >= total:
                return "complete"
            if self.is_exhausted():
                return "exhausted"
            time.sleep(_WAIT_SECONDS)  # other processes run the last ones

    def _end_early(self, outcome: str, total: int, stop_requested: StopRequested) -> str:
        """Start no more trials anywhere, and wait for those that other processes run."""
        if not self.close_to_workers(outcome):
            return outcome  # others go on with it
        while True:
            stop_requested()
            self.reap()
            counts = self.counts()
            if counts["finished"] >= total:
                return "complete"
            if not counts["running"]:
                return outcome
            time.sleep(_WAIT_SECONDS)

    def run_one(
        self,
        run_trial: RunTrial,
        *,
        total: int,
        progress: Progress,
        stop_requested: StopRequested,
        store: TrialStore,
    ) -> bool:
        """Run one trial if a slot is free; False if none was. See `run`."""
        self.heed(stop_requested)
        self._watch.begin()
        with self._watch.stage("claim"):
            self.reap()
            owner = claiming_owner()
            trial = self._claim(total, owner)
        if trial is None:
            return False
        try:
            with Heartbeat(self._storage, trial._trial_id):
                claimed = ClaimedTrial(
                    self._storage,
                    self._study,
                    trial,
                    owner=owner,
                    settings=self.settings,
                    identity=self.identity,
                    watch=self._watch,
                    about=self.about,
                    read_trials=self.trials,
                )
                claimed.run(self.space, run_trial, progress, stop_requested, store)
        except (TrialTaken, UpdateFinishedTrialError):
            _log.warning(
                "trial %d was taken over: this process gave no sign of life for too long",
                trial.number,
            )
        with self._watch.stage("tell"):
            progress.trial_finished(self._record(trial.number))
        return True

    def _claim(self, total: int, owner: Mapping[str, Any]) -> optuna.Trial | None:
        trial_id = self._storage.claim_trial(
            self._study._study_id,
            total=total,
            owner=owner,
            first_params=default_params(self.settings, self.space, n_classes=self.n_classes),
            propose=self._propose,
        )
        if trial_id is None:
            return None
        # Lets Optuna's cache know of it.
        trials = self._study.get_trials(deepcopy=False)
        # As its `ask` does: samplers would count the trials of the first claim for ever.
        self._study._thread_local.cached_all_trials = None
        frozen = next(trial for trial in reversed(trials) if trial._trial_id == trial_id)
        origin = int(frozen.user_attrs.get("origin", frozen.number))
        self._study.sampler = build_sampler(
            self.settings.sampler,
            self.space,
            study_seed=self.settings.study.seed,
            number=origin,
        )
        return optuna.Trial(self._study, trial_id)

    def _propose(
        self, asked: Callable[[], Sequence[Mapping[str, Any]]]
    ) -> Mapping[str, Any] | None:
        """Give what a new trial but the first has fixed: nothing, or a point of the grid.

        Called under the lock of the claim, so that no two processes take one point.
        """
        if self._grid is None:
            return {}
        return self._grid.next_point(asked())

    def is_exhausted(self) -> bool:
        """Say whether every point of the grid has been tried, and nobody runs one any more."""
        if self._grid is None:
            return False
        trials = self._study.get_trials(deepcopy=False)
        is_busy = any(not trial.state.is_finished() for trial in trials)
        return not is_busy and self._grid.next_point(map(_asked_params, _tried(trials))) is None


def _tried(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Give the trials but those that a signal or a dead process cut off."""
    return [trial for trial in trials if not trial.user_attrs.get("retried")]


def _asked_params(trial: FrozenTrial) -> Mapping[str, Any]:
    # A running trial draws its parameters after its slot is taken.
    fixed: Mapping[str, Any] = trial.system_attrs.get("fixed_params", {})
    return {**fixed, **trial.params}
