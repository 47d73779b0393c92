"""A worker: joins studies that are there, and runs trials until none is needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tuner.config import ExecutionSettings
from tuner.cores import cores
from tuner.errors import ConfigError, DataError, StorageError, TooManyFailures
from tuner.isolation import PipelineRecipe
from tuner.records import Progress, StopRequested
from tuner.search import (
    Endurance,
    Search,
    StudyTerms,
    check_failures,
    open_studies,
    parse_url,
    probe_storage,
    storage_errors,
)
from tuner.search.objective import RunTrial
from tuner.service.runners import MakeRunner, runners
from tuner.service.shared_files import find_files
from tuner.service.shared_parts import find_parts
from tuner.service.study_name import check_study_name
from tuner.service.versions import code_differences, trial_versions
from tuner.service.weights import CHECKPOINT_SECONDS, BlobTrials, study_blobs

__all__ = ["run_worker"]

_log = logging.getLogger(__name__)

_WAIT_SECONDS = 1.0
_POLL_SECONDS = 5.0
_TERMS_SECONDS = 60.0
_STORAGE_WAIT_SECONDS = Endurance().outage_seconds


@dataclass(frozen=True, slots=True)
class _Joined:
    """A study that this worker serves."""

    search: Search
    terms: StudyTerms
    store: BlobTrials
    run_trial: RunTrial

    def is_open(self) -> bool:
        terms = self.search.terms()
        return (
            terms is not None
            and not terms.closed
            and self.search.counts()["finished"] < terms.total
            and not self.search.is_exhausted()
        )

    def run_one(self, progress: Progress, stop_requested: StopRequested) -> bool:
        terms = self.search.terms() or self.terms
        if terms.code != self.terms.code:  # its starter was another version this time
            _check_code(self.search.study_name, terms)
        check_failures(self.search.trials())
        self.store.n_kept = terms.weights_kept
        has_run = self.search.run_one(
            self.run_trial,
            total=terms.total,
            progress=progress,
            stop_requested=stop_requested,
            store=self.store,
        )
        if has_run:
            direction = self.search.settings.direction
            self.store.drop_weights(self.search.trials(), direction)
        return has_run


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a study is left to others, until its starter offers it anew.

    `was_served` says that it had been joined before.
    """

    error: Exception
    offer: StudyTerms | None
    was_served: bool


def run_worker(
    storage_url: str,
    *,
    study_name: str | None = None,
    output: Path,
    progress: Callable[[str, StudyTerms, Search], Progress],
    stop_requested: StopRequested = lambda: None,
    waits: bool = False,
    storage_wait_seconds: float = _STORAGE_WAIT_SECONDS,
    endurance: Endurance | None = None,
    trainer: Callable[[Search, StudyTerms, Path], RunTrial] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    execution: ExecutionSettings | None = None,
) -> int:
    """Serve one study, or in fair turns all of a storage, until no more trials are needed.

    Parameters
    ----------
    study_name
        None for every study that still needs trials, one trial each in turn.
    output
        Root of results: a study's run directory below it is used where it is there, and the
        cache.
    progress
        Gives a study's watcher, when the study is joined.
    stop_requested
        Raises `Interrupted` when a signal has come in.
    waits
        Stay when no study needs trials, and look for new ones.
    storage_wait_seconds
        How long a database that is away is waited for when a study is looked for or joined.
    endurance
        See `Endurance`; None for the defaults.
    trainer
        Gives what runs a configuration of a study; None for the real pipeline.
    checkpoint_seconds
        Work of a trial that may be lost; 0 saves its state after every epoch.
    execution
        Whether trials run in a guarded child process, and its limits; None for in this process.

    Returns
    -------
    int
        Trials that this worker has run to an end.

    Raises
    ------
    ConfigError, DataError
        If there is no such study, or its settings, code, data or files are not those here. Among
        several studies that is a warning, and raised at the end of the work if the study had
        been served, or none was.
    TooManyFailures
        If a study was given up; likewise.
    StorageError
        If the storage is away for too long.
    """
    n_run = 0
    joined: dict[str, _Joined] = {}
    watchers: dict[str, Progress] = {}
    refused: dict[str, _Refusal] = {}
    parse_url(storage_url)
    answers = partial(
        probe_storage, storage_url, wait_seconds=storage_wait_seconds, check=stop_requested
    )
    with storage_errors(storage_url), ExitStack() as opened:
        make_runner = opened.enter_context(runners(execution, stop_requested))
        opened.callback(_close, joined)
        while True:
            stop_requested()
            if study_name is not None:
                offered: Mapping[str, StudyTerms | None] = {study_name: None}
            else:
                if not waits:
                    answers()
                offered = _open_studies(storage_url, waits, storage_wait_seconds, stop_requested)
            has_run = False
            is_needed = False
            for name, offer in offered.items():
                if name in refused and refused[name].offer == offer:
                    continue
                refused.pop(name, None)
                try:
                    if name in joined and joined[name].search.is_gone():
                        _leave(joined, name, study_name)
                    if name not in joined:
                        check_study_name(name)
                        answers()
                        joined[name] = _join(
                            storage_url,
                            name,
                            output,
                            endurance=endurance,
                            trainer=trainer,
                            make_runner=make_runner,
                            checkpoint_seconds=checkpoint_seconds,
                            stop_requested=stop_requested,
                        )
                        watchers[name] = progress(name, joined[name].terms, joined[name].search)
                    study = joined[name]
                    if not study.is_open():
                        continue
                    is_needed = True
                    if study.run_one(watchers[name], stop_requested):
                        has_run = True
                        n_run += 1
                except KeyError:
                    if name not in joined or not joined[name].search.is_gone():
                        raise
                    _leave(joined, name, study_name)
                except (ConfigError, DataError, TooManyFailures) as error:
                    if study_name is not None:
                        raise
                    shown = name if name.isprintable() else ascii(name)
                    _log.warning("study %s is left to others: %s", shown, error)
                    refused[name] = _Refusal(error, offer, was_served=name in joined)
            if has_run:
                continue
            if is_needed:
                time.sleep(_WAIT_SECONDS)  # other workers run the last ones
            elif waits:
                time.sleep(_POLL_SECONDS)
            else:
                _raise_first(refused, has_run=bool(n_run))
                return n_run


def _raise_first(refused: Mapping[str, _Refusal], *, has_run: bool) -> None:
    """Raise why a study was left that this worker had served, or any where it has run nothing."""
    for refusal in refused.values():
        if refusal.was_served or not has_run:
            raise refusal.error


def _close(joined: Mapping[str, _Joined]) -> None:
    for study in joined.values():
        study.search.close()


def _leave(joined: dict[str, _Joined], name: str, study_name: str | None) -> None:
    """Forget a study that was deleted; raise `ConfigError` if it is the one that was asked for."""
    joined.pop(name).search.close()
    if study_name is not None:
        raise ConfigError(f"--study-name {name!r} was deleted from the storage.")
    _log.warning("study %s was deleted from the storage: it is left", name)


def _open_studies(
    storage_url: str, waits: bool, storage_wait_seconds: float, stop_requested: StopRequested
) -> Mapping[str, StudyTerms]:
    """Give the studies that need trials, with their terms.

    A worker that waits may be there before the first study, and stays while the storage is away.
    """
    try:
        wait_seconds = 0.0 if waits else storage_wait_seconds
        return open_studies(storage_url, wait_seconds=wait_seconds, check=stop_requested)
    except (ConfigError, StorageError) as error:
        if not waits:
            raise
        _log.info("waiting for a study: %s", error)
        return {}


def _join(
    storage_url: str,
    name: str,
    output: Path,
    *,
    endurance: Endurance | None,
    trainer: Callable[[Search, StudyTerms, Path], RunTrial] | None,
    make_runner: MakeRunner,
    checkpoint_seconds: float,
    stop_requested: StopRequested,
) -> _Joined:
    search = Search.join(storage_url, name, endurance=endurance, stop_requested=stop_requested)
    try:
        terms = _wait_for_terms(search, stop_requested)
        _check_code(name, terms)
        blobs = study_blobs(search, terms, output / name)
        if trainer is None:
            parts = find_parts(name, terms, folder=output / name, blobs=blobs)
            search.n_classes = len(parts.classes)
            recipe = PipelineRecipe(
                parts,
                output / "cache",
                processes=cores(),
                checkpoints=search.checkpoints,
                files=find_files(search.contents, folder=output / name / "files", blobs=blobs),
            )
            run_trial: RunTrial = make_runner(recipe, recipe.make)
        else:
            run_trial = trainer(search, terms, output)
        search.about = trial_versions()
    except BaseException:
        search.close()
        raise
    _log.info("joined study %s", name)
    store = BlobTrials(blobs, n_kept=terms.weights_kept, checkpoint_seconds=checkpoint_seconds)
    return _Joined(search, terms, store, run_trial)


def _wait_for_terms(search: Search, stop_requested: StopRequested) -> StudyTerms:
    """Give the terms; their starter may be writing them just now."""
    end = time.monotonic() + _TERMS_SECONDS
    while (terms := search.terms()) is None:
        if time.monotonic() > end:
            raise ConfigError(
                f"--study-name {search.study_name!r} is not open to workers: `tuner optimize` or "
                "`tuner submit` has to be run for it first."
            )
        stop_requested()
        time.sleep(_WAIT_SECONDS)
    return terms


def _check_code(name: str, terms: StudyTerms) -> None:
    found = code_differences(terms.code)
    if found:
        raise ConfigError(f"--study-name {name!r} is run by other code: {'; '.join(found)}.")
