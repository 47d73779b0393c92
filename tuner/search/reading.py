"""What a storage says about its studies, as records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tuner.config import did_you_mean
from tuner.errors import ConfigError
from tuner.records import StopRequested, TrialRecord
from tuner.search.ending_note import read_ending
from tuner.search.enduring import EnduringStorage
from tuner.search.freeze import freeze
from tuner.search.ranking import best_trial
from tuner.search.storage import close_storage, open_storage, storage_errors
from tuner.search.terms import StudyTerms, read_terms
from tuner.search.transactions import Beat

__all__ = [
    "check_known",
    "count_trials",
    "list_studies",
    "open_studies",
    "read_trials",
]

_PAUSE_SECONDS = 60.0
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def count_trials(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Count trials: finished (complete + pruned), and by state; retried ones are not failed."""
    states = Counter("retried" if trial.is_retried else trial.state for trial in trials)
    counts = {
        name: states[name] for name in ("complete", "pruned", "failed", "retried", "running")
    }
    return {"finished": counts["complete"] + counts["pruned"], **counts}


def check_known(storage: RDBStorage, study_name: str) -> None:
    """Raise `ConfigError` with the nearest name unless the storage has the study."""
    names = optuna.get_all_study_names(storage)
    if study_name not in names:
        raise ConfigError(
            f"--study-name {study_name!r} is not in the storage.{did_you_mean(study_name, names)}"
        )


def list_studies(storage_url: str) -> list[dict[str, Any]]:
    """Give name, direction, counts and best value of every study in a storage.

    `seconds_left` is that of the search, `seconds_left_at_end` that of confirmation, sealed test
    and report; None where it is not known yet, or for the end where nobody has run
    `tuner optimize` yet. `is_concluded` says whether they are done.

    Raises
    ------
    ConfigError, StorageError
        See `open_storage`.
    """
    with _read(storage_url) as storage:
        return [_summary(storage, name) for name in optuna.get_all_study_names(storage)]


def read_trials(storage_url: str, study_name: str) -> list[TrialRecord]:
    """Give the trials of one study.

    Raises
    ------
    ConfigError, StorageError
        If the storage has no such study; see `open_storage`.
    """
    with _read(storage_url) as storage:
        check_known(storage, study_name)
        return _load(storage, study_name)[1]


def open_studies(
    storage_url: str, *, wait_seconds: float = 0.0, check: StopRequested = lambda: None
) -> dict[str, StudyTerms]:
    """Give the studies that still need trials by name, with the terms of their starters.

    A database that goes away meanwhile is waited for as `open_storage` says.

    Raises
    ------
    ConfigError, StorageError
        See `open_storage`.
    """
    with _read(storage_url, wait_seconds=wait_seconds, check=check) as storage:
        found = {}
        for study in storage.get_all_studies():
            terms = read_terms(study.user_attrs)
            if terms is None or terms.closed:
                continue
            if storage.count_trials(study._study_id, _FINISHED) < terms.total:
                found[study.study_name] = terms
        return found


@contextmanager
def _read(
    storage_url: str, *, wait_seconds: float = 0.0, check: StopRequested = lambda: None
) -> Iterator[EnduringStorage]:
    with storage_errors(storage_url):
        storage = open_storage(storage_url, create=False, wait_seconds=wait_seconds, check=check)
        try:
            yield storage
        finally:
            close_storage(storage)


def _summary(storage: EnduringStorage, name: str) -> dict[str, Any]:
    study, trials = _load(storage, name)
    direction = study.direction.name.lower()
    best = best_trial(trials, direction)
    terms = read_terms(study.user_attrs)
    finished = count_trials(trials)["finished"]
    ending = read_ending(study.user_attrs)
    rate = _trials_per_hour(trials)
    left = None if terms is None or not rate else 3600 * max(0, terms.total - finished) / rate
    if terms is not None and terms.closed:
        left = 0.0
    return {
        "study": name,
        "metric": (study.metric_names or ["value"])[0],
        "direction": direction,
        **count_trials(trials),
        "best": None if best is None else best.value,
        "best_trial": None if best is None else best.number,
        "set_aside": [
            {"trial": trial.number, "reason": trial.attributes.get("failure", "")}
            for trial in trials
            if trial.is_set_aside
        ],
        "total": None if terms is None else terms.total,
        "closed": "" if terms is None else terms.closed,
        "trials_per_hour": None if rate is None else round(rate, 1),
        "seconds_left": _rounded(left),
        "seconds_left_at_end": _rounded(ending.seconds_left(trials)),
        "is_concluded": ending.finished == finished,
        "workers": [_worker(beat) for beat in storage.beats(study._study_id)],
    }


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _worker(beat: Beat) -> dict[str, Any]:
    owner = beat.owner or {}
    return {
        "host": owner.get("host"),
        "pid": owner.get("pid"),
        "trial": beat.number,
        "beat_seconds_ago": round(beat.age_seconds, 1),
    }


def _trials_per_hour(trials: Sequence[TrialRecord]) -> float | None:
    """Give the rate of the last 20 finished trials; None before the second one."""
    ends = sorted(
        _started(trial) + trial.seconds
        for trial in trials
        if trial.state in ("complete", "pruned") and trial.started and trial.seconds is not None
    )[-21:]
    if len(ends) < 2:
        return None
    worked = ends[-1] - ends[0] - _pause_seconds(trials, ends[0], ends[-1])
    return 3600 * (len(ends) - 1) / worked if worked > 0 else None


def _pause_seconds(trials: Sequence[TrialRecord], first: float, last: float) -> float:
    """Give the time between two ends in which no trial ran for a minute or more."""
    paused, reached = 0.0, first
    begun = (trial for trial in trials if trial.started)
    for trial in sorted(begun, key=_started):
        gap = min(_started(trial), last) - reached
        if gap >= _PAUSE_SECONDS:
            paused += gap
        reached = max(reached, last if trial.seconds is None else _started(trial) + trial.seconds)
    return paused


def _started(trial: TrialRecord) -> float:
    return datetime.fromisoformat(trial.started or "").timestamp()


def _load(storage: RDBStorage, name: str) -> tuple[optuna.Study, list[TrialRecord]]:
    study = optuna.load_study(study_name=name, storage=storage)
    records = [freeze(trial) for trial in study.get_trials(deepcopy=False)]
    return study, [record for record in records if record.state != "waiting"]
