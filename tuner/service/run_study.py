"""The main job: from settings to a finished study and its results."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.config import Settings, digest, settings_digest
from tuner.errors import ConfigError, Interrupted, NoCompleteTrial
from tuner.persist import FolderBlobs, open_manifest, read_parts
from tuner.pipeline import Pipeline
from tuner.preprocess import check_word_lists
from tuner.records import Finding, Progress, StopRequested, TrialRecord
from tuner.report import study_note
from tuner.search import (
    Search,
    best_trial,
    check_space,
    count_trials,
    mask,
    parse_url,
    storage_errors,
)
from tuner.service.collect import (
    Collected,
    Sources,
    read_findings,
    read_sources,
    split_digest,
    split_sources,
    store_parts,
)
from tuner.service.finish import open_test
from tuner.service.results import Results

__all__ = ["StudyPlan", "StudyResult", "plan_study", "run_study"]

_log = logging.getLogger(__name__)

STEPS_WANTED = 300  # below, a network from scratch has hardly left its initial weights


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study about to run: resolved settings, its name and where everything goes.

    `collected` is None where an earlier run has split the data already.
    """

    settings: Settings
    sources: Sources
    collected: Collected | None
    name: str
    storage_url: str
    output: Path

    @property
    def folder(self) -> Path:
        """Run directory."""
        return self.output / self.name


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a run of a study ended with.

    `outcome` is "complete", "timeout" or "nothing to do"; `best` the content of
    `best_params.json`.
    """

    outcome: str
    folder: Path
    best: Mapping[str, Any]
    findings: tuple[Finding, ...]


class _Both:
    """Passes progress on to two watchers, the results first."""

    def __init__(self, first: Progress, second: Progress) -> None:
        self._watchers = (first, second)

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        for watcher in self._watchers:
            watcher.study_started(trials)

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        for watcher in self._watchers:
            watcher.trial_started(number, params)

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        for watcher in self._watchers:
            watcher.epoch_finished(number, epoch, value)

    def trial_finished(self, trial: TrialRecord) -> None:
        for watcher in self._watchers:
            watcher.trial_finished(trial)


def plan_study(
    settings: Settings, *, storage_url: str | None, output: Path, study_name: str | None
) -> StudyPlan:
    """Read, check and split the data, settle the study's name and places; nothing is written.

    Parameters
    ----------
    storage_url
        None for `<output>/tuner.db`.
    study_name
        None for the settings' name and 8 digits of the digest of data and settings.

    Raises
    ------
    ConfigError, DataError
        If settings, URL or data cannot be used.
    """
    url = storage_url or f"sqlite:///{output / 'tuner.db'}"
    parse_url(url)
    if study_name is not None and not re.fullmatch(r"[\w\-.]{1,200}", study_name):
        raise ConfigError(
            "--study-name must be 1 to 200 letters, digits, '-', '_' or '.', since it names a "
            f"folder; got {study_name!r}."
        )
    sources = read_sources(settings)
    identity = digest([sources.fingerprint, settings_digest(settings)])
    name = study_name or f"{settings.study.name}-{identity[:8]}"
    _check_settings(settings)
    is_split = _is_split(output / name, name, sources, settings)
    collected = None if is_split else split_sources(sources, settings)
    return StudyPlan(settings, sources, collected, name, url, output)


def run_study(
    plan: StudyPlan,
    *,
    total: int,
    progress: Progress,
    stop_requested: StopRequested = lambda: None,
    timeout_seconds: float = math.inf,
    opened: Callable[[], None] = lambda: None,
) -> StudyResult:
    """Run or continue a study until it has `total` finished trials, then open the test once.

    Parameters
    ----------
    opened
        Called when storage and run directory have been found writable.

    Raises
    ------
    Interrupted
        From `stop_requested`; what is finished stays.
    NoCompleteTrial
        If no trial is complete at the end.
    """
    deadline = time.monotonic() + timeout_seconds
    with storage_errors(plan.storage_url), closing(_open_search(plan)) as search:
        results = _open_results(plan, search)
        opened()
        finished = search.counts()["finished"]
        written = results.read_best()
        if finished >= total and _is_final(written, finished):
            return StudyResult("nothing to do", plan.folder, written or {}, results.findings)
        _say_where_it_stands(plan, search, results, total)
        if finished < total:
            # Before the first trial, so that a setting that cannot work ends the run, not a trial.
            results.pipeline.prepare(plan.settings)
        progress.study_started(search.trials())
        outcome = _run_trials(search, results, total, progress, stop_requested, deadline)
        return _finish(plan, search, results, outcome)


def _open_search(plan: StudyPlan) -> Search:
    return Search(
        plan.settings,
        fingerprint=plan.sources.fingerprint,
        storage_url=plan.storage_url,
        study_name=plan.name,
    )


def _open_results(plan: StudyPlan, search: Search) -> Results:
    if plan.collected is not None:
        store_parts(plan.folder, plan.collected, plan.settings)
    parts = read_parts(plan.folder)
    cache = FolderBlobs(plan.output / "cache")
    return Results(
        plan.folder,
        study=plan.name,
        settings=plan.settings,
        parts=parts,
        findings=read_findings(plan.folder),
        storage=mask(plan.storage_url),
        pipeline=Pipeline(parts, cache, processes=os.cpu_count() or 1),
        read_trials=search.trials,
    )


def _say_where_it_stands(plan: StudyPlan, search: Search, results: Results, total: int) -> None:
    finished = search.counts()["finished"]
    if finished:
        _log.info("continuing study %s: %d of %d trials are finished", plan.name, finished, total)
    if search.n_reaped:
        _log.info("%d trials whose process had died are run again", search.n_reaped)
    if results.sealed.reads and finished < total:
        _log.warning(
            "the sealed test of this study has been read %d time(s); another winner will be "
            "another reading, and its score a little less honest",
            results.sealed.reads,
        )
    _hint_at_few_steps(plan.settings, len(results.parts.train))


def _run_trials(
    search: Search,
    results: Results,
    total: int,
    progress: Progress,
    stop_requested: StopRequested,
    deadline: float,
) -> str:
    """Run the search and give its outcome; whatever ends it, the tables say so."""
    outcome = "failed"
    try:
        outcome = search.run(
            results.pipeline.run_trial,
            total=total,
            progress=_Both(results, progress),
            stop_requested=stop_requested,
            keep_weights=results.keep_weights,
            deadline=deadline,
        )
    except Interrupted:
        outcome = "interrupted"
        raise
    finally:
        results.write_tables(search.trials(), outcome=outcome)
    return outcome


def _finish(plan: StudyPlan, search: Search, results: Results, outcome: str) -> StudyResult:
    """Open the sealed test for the winner, and write the results."""
    trials = search.trials()
    best = best_trial(trials, plan.settings.direction)
    if best is None:
        counts = count_trials(trials)
        raise NoCompleteTrial(
            f"study {plan.name} ended ({outcome}) without a complete trial: "
            f"{counts['pruned']} pruned, {counts['failed']} failed."
        )
    default = next((t for t in trials if t.origin == 0 and t.state == "complete"), None)
    test, baselines = open_test(results, results.pipeline, best, default)
    content = results.write_best(best, trials, outcome=outcome, test=test, baselines=baselines)
    results.write_tables(trials, outcome=outcome)
    search.set_note(study_note(content, results.findings))
    return StudyResult(outcome, plan.folder, content, results.findings)


def _check_settings(settings: Settings) -> None:
    """Try what a setting names, so that a wrong one ends the run before anything is written."""
    check_space(settings)
    check_word_lists(settings.preprocess)


def _hint_at_few_steps(settings: Settings, n_train: int) -> None:
    """Say so when a trial is too short to learn: few rows make few steps an epoch."""
    training = settings.training
    steps_an_epoch = -(-n_train // training.batch_size)
    steps = steps_an_epoch * training.epochs
    if steps < STEPS_WANTED:
        _log.warning(
            "phase one has only %d steps (%d train rows, %d epochs, batches of %d); with so few "
            "rows try --epochs %d, or a smaller training.batch_size",
            steps,
            n_train,
            training.epochs,
            training.batch_size,
            -(-STEPS_WANTED // steps_an_epoch),
        )


def _is_final(written: Mapping[str, Any] | None, finished: int) -> bool:
    """Say whether the results were written after the last of the finished trials."""
    if written is None or written["outcome"] != "complete":
        return False
    return bool(written["trials"]["complete"] + written["trials"]["pruned"] == finished)


def _is_split(folder: Path, name: str, sources: Sources, settings: Settings) -> bool:
    """Say whether an earlier run has split these data with these settings."""
    manifest = open_manifest(folder)
    if manifest is None:
        return False
    origin = manifest["origin"]
    if manifest["fingerprint"] != sources.fingerprint:
        raise ConfigError(
            f"--study-name {name!r}: {folder} holds a study of other data (fingerprint "
            f"{manifest['fingerprint'][:12]}…, now {sources.fingerprint[:12]}…); choose "
            "another --study-name or --output."
        )
    if sources.ready is None and origin["split_digest"] != split_digest(settings):
        raise ConfigError(
            f"--study-name {name!r}: {folder} was split with other settings "
            f"({origin['split']}); choose another --study-name or --output."
        )
    return True
