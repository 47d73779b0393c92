"""A study in its storage: opened or made, read, and noted in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Self

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from tuner.config import Settings, file_digests
from tuner.errors import ConfigError
from tuner.models import checkpoint_digests
from tuner.records import StopRequested, TrialRecord
from tuner.search.blob_table import TableBlobs
from tuner.search.ending_note import note_conclusion, note_ending
from tuner.search.endurance import Endurance
from tuner.search.enduring import EnduringStorage
from tuner.search.freeze import freeze
from tuner.search.identity import (
    named_contents,
    stored_settings,
    study_identity,
    write_or_compare,
)
from tuner.search.locks import named_lock
from tuner.search.owner import is_dead
from tuner.search.pruner import build_pruner
from tuner.search.ranking import best_trial
from tuner.search.reading import check_known, count_trials
from tuner.search.retries import retry_attributes
from tuner.search.storage import close_storage, open_storage
from tuner.search.terms import StudyTerms, close_terms, read_terms, write_terms

__all__ = ["StoredStudy"]

_CONFIRMATION = "confirmation:"
_IMPATIENT_SECONDS = 2.0


class StoredStudy:
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
    stop_requested
        Ends the wait for a database that is away; `heed` puts another one in its place.
    joins
        Whether the study must be there already.

    Attributes
    ----------
    checkpoints
        Digests of the pretrained checkpoints that its trials can use; compared too.
    identity
        Tells it from others, also from one of its name that was deleted.
    is_new
        Whether it was made just now.
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
        endurance = endurance or Endurance()
        self.settings = settings
        self.fingerprint = fingerprint
        self.study_name = study_name
        self.checkpoints = checkpoint_digests(settings)
        self._finished: dict[int, TrialRecord] = {}
        self._total = math.inf
        self._storage: EnduringStorage = open_storage(
            storage_url,
            create=True,
            wait_seconds=endurance.outage_seconds,
            check=stop_requested,
        )
        self._storage.endurance = endurance
        try:
            self._create(study_name, fingerprint, joins=joins)
        except BaseException:
            self.close()
            raise

    def _create(self, study_name: str, fingerprint: str, *, joins: bool) -> None:
        contents = {**self.checkpoints, **file_digests(self.settings)}
        with named_lock(self._storage, "studies"):
            self.is_new = study_name not in set(optuna.get_all_study_names(self._storage))
            if self.is_new and joins:
                raise ConfigError(f"--study-name {study_name!r} was deleted from the storage.")
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=study_name,
                direction=self.settings.direction,
                load_if_exists=True,
                pruner=build_pruner(self.settings.pruner, epochs_max=self.settings.epochs_max),
            )
            write_or_compare(self._study, self.settings, fingerprint, contents)
            self.identity = study_identity(self._study.user_attrs)
        self.n_reaped = self.reap()

    @classmethod
    def join(
        cls,
        storage_url: str,
        study_name: str,
        *,
        endurance: Endurance | None = None,
        stop_requested: StopRequested = lambda: None,
    ) -> Self:
        """Open a study that is there, with the settings it was made with.

        Raises
        ------
        ConfigError
            If there is no such study, it was not made by tuner, or this version of tuner does not
            read its settings as they were meant.
        """
        endurance = endurance or Endurance()
        storage = open_storage(
            storage_url,
            create=False,
            wait_seconds=endurance.outage_seconds,
            check=stop_requested,
        )
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
            stop_requested=stop_requested,
            joins=True,
        )

    def is_gone(self) -> bool:
        """Say whether the study was deleted; another one may bear its name, and its id."""
        try:
            return study_identity(self._study.user_attrs) != self.identity
        except KeyError:
            return True

    def heed(self, stop_requested: StopRequested) -> None:
        """Let a signal end the wait for a database that is away."""
        self._storage.heed(stop_requested)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Do what can be done within 2 s: a database that is away is no failure then.

        For what is put in order on the way out of a failure, which may be that very one.
        """
        patient = self._storage.endurance
        self._storage.endurance = replace(patient, outage_seconds=_IMPATIENT_SECONDS)
        try:
            with suppress(SQLAlchemyError, StorageInternalError):
                yield
        finally:
            self._storage.endurance = patient

    def close(self) -> None:
        """Give the storage's connections back."""
        close_storage(self._storage)

    @property
    def contents(self) -> dict[str, str]:
        """Digests of all that the settings name, as the study holds on to them."""
        return named_contents(self._study.user_attrs)

    # -- terms --------------------------------------------------------------------------------

    def terms(self) -> StudyTerms | None:
        """Give what the starter has written down for workers; None if it has not yet."""
        return read_terms(self._study.user_attrs)

    def set_terms(self, terms: StudyTerms) -> None:
        """Write down what workers go by."""
        write_terms(self._storage, self._study._study_id, terms)
        self._total = terms.total

    def close_to_workers(self, reason: str) -> bool:
        """Let workers start no more trials; those that run go on to their end.

        A study of which somebody else has asked for more since stays open, and this gives False.
        """
        return close_terms(self._storage, self._study._study_id, reason=reason, total=self._total)

    def table_blobs(self) -> TableBlobs:
        """Give the study's blobs in the database."""
        return TableBlobs(self._storage, self._study._study_id)

    @property
    def n_retries(self) -> int:
        """Attempts beyond the first of all database operations of this process."""
        return self._storage.n_retries

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
