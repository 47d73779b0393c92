"""What a storage says about its studies, as records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.storages import RDBStorage

from tuner.config import did_you_mean
from tuner.errors import ConfigError
from tuner.records import TrialRecord
from tuner.search.freeze import freeze
from tuner.search.storage import close_storage, open_storage

__all__ = [
    "best_trial",
    "check_known",
    "count_trials",
    "list_studies",
    "read_trials",
    "top_trials",
]


def best_trial(trials: Sequence[TrialRecord], direction: str) -> TrialRecord | None:
    """Give the best complete trial, the earlier of equal ones; None where there is none."""
    sign = 1.0 if direction == "maximize" else -1.0
    complete = [t for t in trials if t.state == "complete" and t.value is not None]
    return max(complete, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)


def top_trials(trials: Sequence[TrialRecord], direction: str, k: int) -> list[TrialRecord]:
    """Give the best `k` complete trials, best first; copies of another trial do not count."""
    sign = 1.0 if direction == "maximize" else -1.0
    complete = [
        t
        for t in trials
        if t.state == "complete" and t.value is not None and "duplicate_of" not in t.attributes
    ]
    return sorted(complete, key=lambda t: (-sign * (t.value or 0.0), t.number))[:k]


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
    """Give name, direction, counts and best value of every study in a storage."""
    storage = open_storage(storage_url, create=False)
    try:
        return [_summary(storage, name) for name in optuna.get_all_study_names(storage)]
    finally:
        close_storage(storage)


def read_trials(storage_url: str, study_name: str) -> list[TrialRecord]:
    """Give the trials of one study.

    Raises
    ------
    ConfigError
        If the storage has no such study.
    """
    storage = open_storage(storage_url, create=False)
    try:
        check_known(storage, study_name)
        return _load(storage, study_name)[1]
    finally:
        close_storage(storage)


def _summary(storage: RDBStorage, name: str) -> dict[str, Any]:
    study, trials = _load(storage, name)
    direction = study.direction.name.lower()
    best = best_trial(trials, direction)
    return {
        "study": name,
        "metric": (study.metric_names or ["value"])[0],
        "direction": direction,
        **count_trials(trials),
        "best": None if best is None else best.value,
        "best_trial": None if best is None else best.number,
    }


def _load(storage: RDBStorage, name: str) -> tuple[optuna.Study, list[TrialRecord]]:
    study = optuna.load_study(study_name=name, storage=storage)
    records = [freeze(trial) for trial in study.get_trials(deepcopy=False)]
    return study, [record for record in records if record.state != "waiting"]
