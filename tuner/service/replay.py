"""Run a trial again from its record, and compare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tuner.config import ExecutionSettings, apply_params
from tuner.cores import cores
from tuner.errors import ConfigError, TrialDied, TrialFailed
from tuner.isolation import PipelineRecipe
from tuner.persist import pack_arrays
from tuner.records import Spent, StopRequested, TrialOutcome, TrialRecord
from tuner.search import Search, StudyTerms, check_finite, storage_errors, trial_seeds
from tuner.service.runners import runners
from tuner.service.shared_files import find_files
from tuner.service.shared_parts import find_parts
from tuner.service.study_name import check_study_name
from tuner.service.versions import trial_versions
from tuner.service.weights import study_blobs

__all__ = ["Replay", "replay_trial"]

TOLERANCE = 0.002
"""Largest difference of the objective on another processor or with other threads."""

_SAME_BITS = ("machine", "processor", "threads")
# How reasons begin that say nothing about the configuration: a limit, a signal, a lost worker.
_NOT_ITS_DOING = (
    "it ran longer than",
    "out of memory",
    "interrupted",
    "stopped by",
    "the same as trial",
)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a trial gave when it was run again.

    Parameters
    ----------
    state
        "complete", "pruned", "failed", or "cut off" where it ran again under another number.
    value, again
        Recorded and new: the selection objective of a complete trial, else the validation
        objective after the last epoch of the record. None where there is none.
    epochs
        Epochs whose validation objective was compared; 0 for a complete trial.
    difference
        The largest of objectives; None where the new run gave fewer.
    are_bits_equal
        Whether the weights, or the objectives where no weights are recorded, are the same.
    is_expected_exact
        Whether they had to be: same code, processor and threads.
    drift
        What is not as it was.
    failure, failure_again
        Why it failed then and now, "" where it did not.
    must_fail
        Whether it failed by its configuration, and not by a limit or a dead process.
    was_set_aside
        Whether its guarded process died again and again.
    """

    trial: int
    state: str
    value: float | None
    again: float | None
    epochs: int
    difference: float | None
    are_bits_equal: bool
    is_expected_exact: bool
    drift: tuple[str, ...]
    failure: str
    failure_again: str
    must_fail: bool
    was_set_aside: bool

    @property
    def holds(self) -> bool:
        """Whether it came out as promised."""
        if self.must_fail and self.failure_again != self.failure:
            return False
        if not self.failure and self.failure_again:
            return False
        if self.is_expected_exact:
            return self.are_bits_equal
        return self.difference is not None and self.difference <= TOLERANCE


def replay_trial(
    storage_url: str,
    study_name: str,
    number: int,
    *,
    output: Path,
    stop_requested: StopRequested = lambda: None,
) -> Replay:
    """Run a trial again with its parameters and seeds; nothing is written.

    One that was not complete runs as far as its record goes, or until it fails as it did. One
    that was set aside runs in a guarded child process.

    Raises
    ------
    ConfigError
        If there is no such study or trial, its record has nothing to compare with, or data or
        named files differ.
    """
    check_study_name(study_name)
    with storage_errors(storage_url), closing(Search.join(storage_url, study_name)) as search:
        terms = search.terms()
        if terms is None:
            raise ConfigError(f"--study-name {study_name!r} was made by an older tuner.")
        trial = _recorded_trial(search, number)
        blobs = study_blobs(search, terms, output / study_name)
        parts = find_parts(study_name, terms, folder=output / study_name, blobs=blobs)
        settings, checkpoints = search.settings, search.checkpoints
        files = find_files(search.contents, folder=output / study_name / "files", blobs=blobs)
    recipe = PipelineRecipe(
        parts, output / "cache", processes=cores(), checkpoints=checkpoints, files=files
    )
    curve = _Curve(last=_last_epoch(trial))
    outcome: TrialOutcome | None = None
    failure = ""
    with runners(ExecutionSettings(isolate=trial.is_set_aside), stop_requested) as make_runner:
        run_trial = make_runner(recipe, recipe.make)
        try:
            with suppress(_AllSeen):
                outcome = run_trial(
                    apply_params(settings, trial.params),
                    seeds=trial_seeds(settings.study.seed, trial.origin),
                    report=curve,
                    stop_requested=stop_requested,
                )
                check_finite(outcome, settings.study.metric)
        except TrialDied as death:
            failure = death.reason
        except (TrialFailed, ConfigError) as error:
            failure = str(error)
    return _compared(number, trial, outcome, curve.values, failure, _drift(terms, trial))


class _AllSeen(Exception):
    """The run has come as far as the record."""


class _Curve:
    """Remembers the validation objective of every epoch, and ends the run after the last."""

    def __init__(self, *, last: int | None) -> None:
        self._last = last
        self.values: dict[int, float] = {}

    def __call__(self, *, epochs_completed: int, value: float, spent: Spent) -> None:
        self.values[epochs_completed] = value
        if self._last is not None and epochs_completed >= self._last:
            raise _AllSeen


def _recorded_trial(search: Search, number: int) -> TrialRecord:
    trials = {trial.number: trial for trial in search.trials()}
    trial = trials.get(number)
    if trial is None:
        last = max(trials, default=-1)
        raise ConfigError(
            f"TRIAL must be a trial of study {search.study_name!r}, 0 to {last}; got {number}."
        )
    if trial.state == "running":
        raise ConfigError(f"TRIAL must be one that has ended; trial {number} is running.")
    copied = trial.attributes.get("duplicate_of")
    if copied is not None:
        return trials[int(copied)]
    has_failed = trial.is_set_aside or _must_fail(trial)
    if trial.state == "failed" and not (trial.intermediate or has_failed):
        again = next((t.number for t in trials.values() if _is_next(t, trial)), None)
        runs_again = "" if again is None else f"; it ran again as trial {again}"
        raise ConfigError(
            f"TRIAL must have an epoch or a failure of its own to compare with; trial {number} "
            f"has none: {_failure(trial).rstrip('.')}{runs_again}."
        )
    return trial


def _is_next(trial: TrialRecord, before: TrialRecord) -> bool:
    """Say whether a trial runs another one again, at once or after further attempts."""
    return trial.origin == before.origin and trial.number > before.number


def _failure(trial: TrialRecord) -> str:
    return str(trial.attributes.get("failure", "")) if trial.state == "failed" else ""


def _must_fail(trial: TrialRecord) -> bool:
    """Say whether a trial failed by its configuration, which it will do again."""
    if trial.state != "failed" or trial.is_retried or trial.is_set_aside:
        return False
    return not _failure(trial).startswith(_NOT_ITS_DOING)


def _last_epoch(trial: TrialRecord) -> int | None:
    """Give the epoch after which nothing can be compared any more; None to run to the end."""
    if trial.state == "complete" or trial.is_set_aside or _must_fail(trial):
        return None
    return max(trial.intermediate)


def _compared(
    number: int,
    trial: TrialRecord,
    outcome: TrialOutcome | None,
    curve: Mapping[int, float],
    failure: str,
    drift: tuple[str, ...],
) -> Replay:
    difference: float | None
    if trial.state == "complete":
        value, again, epochs = trial.value, None, 0
        difference, are_bits_equal = None, False
        if outcome is not None:
            again = outcome.value
            difference = abs(again - float(value or 0.0))
            digest = hashlib.sha256(pack_arrays(outcome.weights)).hexdigest()
            are_bits_equal = digest == trial.attributes.get("weights")
    else:
        epochs = len(trial.intermediate)
        last = max(trial.intermediate, default=0)
        value, again = trial.intermediate.get(last), curve.get(last)
        difference = None
        if trial.intermediate.keys() <= curve.keys():
            apart = (abs(curve[epoch] - then) for epoch, then in trial.intermediate.items())
            difference = max(apart, default=0.0)
        are_bits_equal = difference == 0.0
    return Replay(
        trial=number,
        state="cut off" if trial.is_retried else trial.state,
        value=value,
        again=again,
        epochs=epochs,
        difference=difference,
        are_bits_equal=are_bits_equal,
        is_expected_exact=not drift,
        drift=drift,
        failure=_failure(trial),
        failure_again=failure,
        must_fail=_must_fail(trial),
        was_set_aside=trial.is_set_aside,
    )


def _drift(terms: StudyTerms, trial: TrialRecord) -> tuple[str, ...]:
    about = trial.attributes.get("about", {})
    now = trial_versions()
    named = (*terms.code, *_SAME_BITS)
    # What the trial noted itself comes first: its study may have gone on with other code.
    then = {**terms.code, **{name: str(about[name]) for name in named if name in about}}
    return tuple(
        f"{name} was {then.get(name, 'not recorded')}, is {now[name]}"
        for name in named
        if then.get(name) != now.get(name)
    )
