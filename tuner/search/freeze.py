"""Optuna's trials frozen into records."""

from __future__ import annotations

import math

from optuna.trial import FrozenTrial, TrialState

from tuner.records import TrialRecord

__all__ = ["freeze"]

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def freeze(trial: FrozenTrial) -> TrialRecord:
    """Give a trial as a record."""
    is_complete = trial.state == TrialState.COMPLETE
    value = trial.value if is_complete else None
    duration = trial.duration
    return TrialRecord(
        number=trial.number,
        origin=int(trial.user_attrs.get("origin", trial.number)),
        state=_STATES[trial.state],
        value=value if value is None or math.isfinite(value) else None,
        params=dict(trial.params),
        intermediate=dict(sorted(trial.intermediate_values.items())),
        attributes=dict(trial.user_attrs),
        started=trial.datetime_start.isoformat(timespec="seconds")
        if trial.datetime_start
        else None,
        seconds=duration.total_seconds() if duration else None,
    )
