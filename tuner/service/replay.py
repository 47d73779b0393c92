"""Run a finished trial again from its record, and compare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.config import apply_params, with_files_here
from tuner.errors import ConfigError
from tuner.persist import Cache, pack_arrays
from tuner.pipeline import Pipeline
from tuner.records import StopRequested, TrialRecord
from tuner.search import Search, StudyTerms, storage_errors, trial_seeds
from tuner.service.shared_files import find_files
from tuner.service.shared_parts import find_parts
from tuner.service.versions import code_identity, versions
from tuner.service.weights import study_blobs

__all__ = ["Replay", "replay_trial"]

TOLERANCE = 0.002
"""Largest difference of the objective on another processor or with other threads."""

_SAME_BITS = ("machine", "processor", "threads")


@dataclass(frozen=True, slots=True)
class Replay:
    """What a trial gave when it was run again.

    `value` is the recorded selection objective, `again` the new one; `are_bits_equal` says
    whether the weights are the same, bit for bit; `is_expected_exact` whether they had to be:
    same code, processor and threads; `drift` names what is not as it was.
    """

    trial: int
    value: float
    again: float
    are_bits_equal: bool
    is_expected_exact: bool
    drift: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether it came out as promised."""
        if self.is_expected_exact:
            return self.are_bits_equal
        return abs(self.again - self.value) <= TOLERANCE


def replay_trial(
    storage_url: str,
    study_name: str,
    number: int,
    *,
    output: Path,
    stop_requested: StopRequested = lambda: None,
) -> Replay:
    """Run a complete trial again with its parameters and seeds; nothing is written.

    Raises
    ------
    ConfigError
        If there is no such study or trial, it is not complete, or data or named files
        differ.
    """
    with storage_errors(storage_url), closing(Search.join(storage_url, study_name)) as search:
        terms = search.terms()
        if terms is None:
            raise ConfigError(f"--study-name {study_name!r} was made by an older tuner.")
        trial = _complete_trial(search, number)
        blobs = study_blobs(search, terms, output / study_name)
        parts = find_parts(study_name, terms, folder=output / study_name, blobs=blobs)
        settings, checkpoints = search.settings, search.checkpoints
        files = find_files(search.contents, folder=output / study_name / "files", blobs=blobs)
    pipeline = Pipeline(parts, Cache(output / "cache"), checkpoints=checkpoints)
    outcome = pipeline.run_trial(
        with_files_here(apply_params(settings, trial.params), files),
        seeds=trial_seeds(settings.study.seed, trial.origin),
        report=_unheard,
        stop_requested=stop_requested,
    )
    digest = hashlib.sha256(pack_arrays(outcome.weights)).hexdigest()
    drift = _drift(terms, trial.attributes.get("about", {}))
    return Replay(
        trial=number,
        value=float(trial.value or 0.0),
        again=outcome.value,
        are_bits_equal=digest == trial.attributes.get("weights"),
        is_expected_exact=not drift,
        drift=drift,
    )


def _complete_trial(search: Search, number: int) -> TrialRecord:
    trials = {trial.number: trial for trial in search.trials()}
    trial = trials.get(number)
    if trial is None:
        last = max(trials, default=-1)
        raise ConfigError(
            f"TRIAL must be a trial of study {search.study_name!r}, 0 to {last}; got {number}."
        )
    if trial.state != "complete":
        raise ConfigError(
            f"TRIAL must be a complete one, since only those have a value to compare with; "
            f"trial {number} is {trial.state}."
        )
    copied = trial.attributes.get("duplicate_of")
    return trial if copied is None else trials[int(copied)]


def _drift(terms: StudyTerms, about: Mapping[str, Any]) -> tuple[str, ...]:
    now = {**versions(), **code_identity()}
    then = {**terms.code, **{name: str(about[name]) for name in _SAME_BITS if name in about}}
    return tuple(
        f"{name} was {then.get(name, 'not recorded')}, is {now[name]}"
        for name in (*terms.code, *_SAME_BITS)
        if then.get(name) != now.get(name)
    )


def _unheard(*, epochs_completed: int, value: float) -> None:
    """Let every epoch pass: the trial has been judged already."""
