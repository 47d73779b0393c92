"""Create, continue and run a study: exactly the trials asked for, whatever died before."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from tuner.config import Settings
from tuner.errors import (
    TrialTaken,
)
from tuner.records import Progress, StopRequested, TrialRecord
from tuner.search.blob_table import TableBlobs
from tuner.search.claimed import ClaimedTrial
from tuner.search.ending_note import note_conclusion, note_ending
from tuner.search.endurance import Endurance
from tuner.search.enduring import EnduringStorage
from tuner.search.failures import check_failures
from tuner.search.freeze import freeze
from tuner.search.grid import Grid
from tuner.search.heartbeat import Heartbeat
from tuner.search.identity import stored_settings, write_or_compare
from tuner.search.locks import named_lock
from tuner.search.objective import RunTrial, TrialStore
from tuner.search.owner import claiming_owner, is_dead
from tuner.search.pruner import build_pruner
from tuner.search.ranking import best_trial
from tuner.search.reading import check_known, count_trials
from tuner.search.retries import retry_attributes
from tuner.search.sampler import build_sampler
from tuner.search.space import default_params, distributions
from tuner.search.stopwatch import Stopwatch
from tuner.search.storage import close_storage, open_storage
from tuner.search.terms import StudyTerms, read_terms, write_terms

__all__ = ["EndsEarly", "Search"]

_WAIT_SECONDS = 1.0
_CONFIRMATION = "confirmation:"

_log = logging.getLogger(__name__)

EndsEarly = Callable[[Sequence[TrialRecord]], str | None]


def _never(_: Sequence[TrialRecord]) -> str | None:
    return None


class Search:
    """One study in its storage.

    Parameters
    ----------
    settings
        Resolved settings; written into the study when it is created, compared when it is
        continued.
    fingerprint
        Of the data.
    storage_url
        SQLite or PostgreSQL.
    study_name
        Name in the storage.
    endurance
        How long the database may be away, and a worker without a beat.

    Attributes
    ----------
    about
        What this process notes with every trial that it finishes, such as versions.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        fingerprint: str,
        storage_url: str,
        study_name: str,
        endurance: Endurance | None = None,
    ) -> None:
        self.settings = settings
        self.fingerprint = fingerprint
        self.study_name = study_name
        self.about: Mapping[str, Any] = {}
        self.space = distributions(settings)
        self._grid = (
            Grid(self.space, seed=settings.study.seed) if settings.sampler.name == "grid" else None
        )
        self._finished: dict[int, TrialRecord] = {}
        self._watch = Stopwatch()
        self._storage: EnduringStorage = open_storage(storage_url, create=True)
        self._storage.endurance = endurance or Endurance()
        try:
            self._create(study_name, fingerprint)
        except BaseException:
            self.close()
            raise

    def _create(self, study_name: str, fingerprint: str) -> None:
        with named_lock(self._storage, "studies"):
            self.is_new = study_name not in set(optuna.get_all_study_names(self._storage))
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=study_name,
                direction=self.settings.direction,
                load_if_exists=True,
                pruner=build_pruner(self.settings.pruner, epochs_max=self.settings.epochs_max),
            )
            write_or_compare(self._study, self.settings, fingerprint)
        self.n_reaped = self.reap()

    @classmethod
    def join(
        cls, storage_url: str, study_name: str, *, endurance: Endurance | None = None
    ) -> Search:
        """Open a study that is there, with the settings it was made with.

        Raises
        ------
        ConfigError
            If there is no such study, it was not made by tuner, or this version of tuner does not
            read its settings as they were meant.
        """
        storage = open_storage(storage_url, create=False)
        try:
            check_known(storage, study_name)
            study_id = storage.get_study_id_from_name(study_name)
            attributes = storage.get_study_user_attrs(study_id)
        finally:
            close_storage(storage)
        return cls(
            stored_settings(study_name, attributes),
            fingerprint=attributes["fingerprint"],
            storage_url=storage_url,
            study_name=study_name,
            endurance=endurance,
        )

    def heed(self, stop_requested: StopRequested) -> None:
        """Let a signal end the wait for a database that is away."""
        self._storage.heed(stop_requested)

    # -- terms --------------------------------------------------------------------------------

    def terms(self) -> StudyTerms | None:
        """Give what the starter has written down for workers; None if it has not yet."""
        return read_terms(self._study.user_attrs)

    def set_terms(self, terms: StudyTerms) -> None:
        """Write down what workers go by."""
        write_terms(self._study, terms)

    def close_to_workers(self, reason: str) -> None:
        """Let workers start no more trials; those that run go on to their end."""
        terms = self.terms()
        if terms is not None:
            self.set_terms(replace(terms, closed=reason))

    def table_blobs(self) -> TableBlobs:
        """Give the study's blobs in the database."""
        return TableBlobs(self._storage, self._study._study_id)

    @property
    def n_retries(self) -> int:
        """Attempts beyond the first of all database operations of this process."""
        return self._storage.n_retries

    # -- running ------------------------------------------------------------------------------

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
                return early
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
        judged = max(trial._cached_frozen_trial.intermediate_values, default=0)
        try:
            with Heartbeat(self._storage, trial._trial_id):
                claimed = ClaimedTrial(
                    self._storage,
                    self._study,
                    trial,
                    owner=owner,
                    judged=judged,
                    settings=self.settings,
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
            first_params=default_params(self.settings, self.space),
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

    def _propose(self, trials: Callable[[], Sequence[FrozenTrial]]) -> Mapping[str, Any] | None:
        """Give what a new trial but the first has fixed: nothing, or a point of the grid.

        Called under the lock of the claim, so that no two processes take one point.
        """
        if self._grid is None:
            return {}
        return self._grid.next_point(map(_asked_params, _tried(trials())))

    def is_exhausted(self) -> bool:
        """Say whether every point of the grid has been tried, and nobody runs one any more."""
        if self._grid is None:
            return False
        trials = self._study.get_trials(deepcopy=False)
        is_busy = any(not trial.state.is_finished() for trial in trials)
        return not is_busy and self._grid.next_point(map(_asked_params, _tried(trials))) is None

    # -- what was cut off ---------------------------------------------------------------------

    def reap(self) -> int:
        """Close running trials whose worker is gone, and queue them again; give their count.

        Gone is one whose process on this host is dead, or which has not beaten for too long.
        """
        n_reaped = 0
        for beat in self._storage.beats(self._study._study_id):
            is_here_and_dead = is_dead(beat.owner)
            if not is_here_and_dead and beat.age_seconds <= self._storage.endurance.grace_seconds:
                continue
            reason = (
                "interrupted: its process died"
                if is_here_and_dead
                else f"interrupted: no beat for {beat.age_seconds:.0f} s"
            )
            retry = retry_attributes(beat.number, beat.attributes, is_lost=True)
            n_reaped += self._storage.close_trial(
                self._study._study_id, beat.trial_id, reason=reason, retry=retry
            )
        return n_reaped

    def close(self) -> None:
        """Give the storage's connections back."""
        close_storage(self._storage)

    # -- reading ------------------------------------------------------------------------------

    def trials(self) -> list[TrialRecord]:
        """Give all trials but the waiting ones, by number."""
        return [
            self._frozen(trial)
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state != TrialState.WAITING
        ]

    def _frozen(self, trial: FrozenTrial) -> TrialRecord:
        record = self._finished.get(trial.number)
        if record is None:
            record = freeze(trial)
            if trial.state.is_finished():  # nothing changes it any more
                self._finished[trial.number] = record
        return record

    def counts(self) -> dict[str, int]:
        """Count trials, see `count_trials`."""
        return count_trials(self.trials())

    def best(self) -> TrialRecord | None:
        """Give the complete trial with the best selection value; the earlier of equal ones."""
        return best_trial(self.trials(), self.settings.direction)

    def set_note(self, text: str) -> None:
        """Write the note that the dashboard shows with the study (Markdown)."""
        from optuna_dashboard import save_note

        save_note(self._study, text)

    def note(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep what was found out about the study as its attribute."""
        self._study.set_user_attr(name, dict(value))

    def note_ending(self, *, runs: int, seconds: float) -> None:
        """Note how many runs the confirmation takes, and the seconds of what follows it."""
        note_ending(self._study, runs=runs, seconds=seconds)

    def note_conclusion(self, *, finished: int) -> None:
        """Note that the results were written after so many finished trials."""
        note_conclusion(self._study, finished=finished)

    # -- confirmation -------------------------------------------------------------------------

    def confirmations(self) -> dict[str, dict[str, Any]]:
        """Give the runs of the confirmation that are finished, by their key."""
        return {
            name.removeprefix(_CONFIRMATION): value
            for name, value in self._study.user_attrs.items()
            if name.startswith(_CONFIRMATION)
        }

    def note_confirmation(self, key: str, run: Mapping[str, Any]) -> None:
        """Keep a finished run of the confirmation, so that an interrupted one goes on."""
        self._study.set_user_attr(f"{_CONFIRMATION}{key}", dict(run))

    def _record(self, number: int) -> TrialRecord:
        return next(record for record in reversed(self.trials()) if record.number == number)


def _tried(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Give the trials but those that a signal or a dead process cut off."""
    return [trial for trial in trials if not trial.user_attrs.get("retried")]


def _asked_params(trial: FrozenTrial) -> Mapping[str, Any]:
    # A running trial draws its parameters after its slot is taken.
    fixed: Mapping[str, Any] = trial.system_attrs.get("fixed_params", {})
    return {**fixed, **trial.params}
