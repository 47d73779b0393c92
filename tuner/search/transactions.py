"""What has to happen to a trial as a whole or not at all: claimed, finished, handed back.

Optuna does each of these in several steps, between which a process can die or another one can
come in. Here each is one transaction, and doing it twice, as after a lost connection, changes
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.orm import selectinload

from tuner.errors import TrialTaken
from tuner.search import rows
from tuner.search.asked import asked_params

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

__all__ = [
    "Beat",
    "Propose",
    "beat",
    "beats",
    "claim_trial",
    "close_trial",
    "copy_trial",
    "count_trials",
    "finish_trial",
    "put_study_attributes",
    "replace_study_attributes",
    "seconds_by_its_clock",
]

_TAKING_A_SLOT = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
_RUNG = "completed_rung_"

Propose = Callable[[Callable[[], Sequence[Mapping[str, Any]]]], Mapping[str, Any] | None]
"""Given a way to read what all trials were asked for, gives what a new one has fixed."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A running trial: its ids, its owner (None if unknown) and seconds since its last beat.

    `attributes` are the trial's user attributes.
    """

    trial_id: int
    number: int
    owner: Mapping[str, Any] | None
    age_seconds: float
    attributes: Mapping[str, Any]


def claim_trial(
    session: Any,
    storage: RDBStorage,
    study_id: int,
    *,
    total: int,
    owner: Mapping[str, Any],
    first_params: Mapping[str, Any],
    propose: Propose,
) -> int | None:
    """Take a slot if one is free: counted and taken under the lock of the study's row.

    Parameters
    ----------
    total
        Complete, pruned and running trials together stay at or below it.
    owner
        Who takes it; with a token of its own for every claim, by which a claim is known again
        whose confirmation was lost.
    first_params
        Run by the study's first trial.
    propose
        Asked for what another new trial has fixed; {} for nothing, None if there is no trial to
        propose any more.

    Returns
    -------
    int or None
        Id of a trial that is now running, has its owner and its first beat: a queued one, else a
        new one. None if all slots are taken, or there is nothing to propose.
    """
    models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
    claimed_before = _find_claim(session, study_id, owner)
    if claimed_before is not None:
        return claimed_before
    trials = session.query(models.TrialModel).filter(models.TrialModel.study_id == study_id)
    if trials.filter(models.TrialModel.state.in_(_TAKING_A_SLOT)).count() >= total:
        return None
    trial = (
        trials.filter(models.TrialModel.state == TrialState.WAITING)
        .order_by(models.TrialModel.number)
        .with_for_update()
        .first()
    )
    if trial is not None:
        trial.state = TrialState.RUNNING
        trial.datetime_start = datetime.now()  # noqa: DTZ005 - Optuna's setter wants local time
    else:
        is_first = trials.count() == 0
        fixed = first_params if is_first else propose(lambda: asked_params(session, study_id))
        if fixed is None:
            return None
        template = create_trial(
            state=TrialState.RUNNING,
            system_attrs={"fixed_params": dict(fixed)} if fixed else {},
            user_attrs={"default": True} if is_first else {},
        )
        trial = storage._get_prepared_new_trial(study_id, template, session)
    rows.put_attributes(session, trial.trial_id, {"owner": dict(owner)})
    session.add(models.TrialHeartbeatModel(trial_id=trial.trial_id))
    return int(trial.trial_id)


def _find_claim(session: Any, study_id: int, owner: Mapping[str, Any]) -> int | None:
    attribute = models.TrialUserAttributeModel
    row = (
        session.query(models.TrialModel.trial_id)
        .join(attribute, attribute.trial_id == models.TrialModel.trial_id)
        .filter(models.TrialModel.study_id == study_id)
        .filter(models.TrialModel.state == TrialState.RUNNING)
        .filter(attribute.key == "owner")
        .filter(attribute.value_json == json.dumps(dict(owner)))
        .first()
    )
    return None if row is None else int(row[0])


def finish_trial(
    session: Any,
    storage: RDBStorage,
    trial_id: int,
    *,
    state: TrialState,
    value: float | None,
    attributes: Mapping[str, Any],
    owner: Mapping[str, Any],
) -> None:
    """Close a running trial with its result.

    Parameters
    ----------
    value
        Of a complete trial; a pruned one takes its last intermediate value.
    attributes
        Written with it.
    owner
        As it was claimed with.

    Raises
    ------
    TrialTaken
        If somebody else has closed the trial.
    """
    trial = models.TrialModel.find_or_raise_by_id(trial_id, session, for_update=True)
    # One of a study that was deleted may have the same id.
    stored = models.TrialUserAttributeModel.find_by_trial_and_key(trial, "owner", session)
    is_mine = stored is not None and json.loads(str(stored.value_json)) == dict(owner)
    if trial.state != TrialState.RUNNING or not is_mine:
        if trial.state == state and is_mine:
            return  # told already, and the answer was lost
        raise TrialTaken(f"trial {trial.number} was taken over by another worker")
    rows.put_attributes(session, trial_id, attributes)
    if state == TrialState.PRUNED:
        value = _last_intermediate_value(session, trial_id)
    if value is not None:
        storage._set_trial_value_without_commit(session, trial, 0, float(value))
    trial.state = state
    trial.datetime_complete = datetime.now()  # noqa: DTZ005 - Optuna's setter wants local time


def _last_intermediate_value(session: Any, trial_id: int) -> float | None:
    model = models.TrialIntermediateValueModel
    row = (
        session.query(model.intermediate_value)
        .filter(model.trial_id == trial_id)
        .order_by(model.step.desc())
        .first()
    )
    return None if row is None or row[0] is None else float(row[0])


def close_trial(
    session: Any,
    storage: RDBStorage,
    study_id: int,
    trial_id: int,
    *,
    reason: str,
    retry: Mapping[str, Any] | None,
    attributes: Mapping[str, Any] | None = None,
) -> bool:
    """Fail a running trial, and queue it again under a new number.

    Parameters
    ----------
    reason
        Why, for its record.
    retry
        User attributes of the trial that runs it again; None if it stays failed. It has the
        parameters drawn so far, the intermediate values, and the rungs, which leave the failed
        trial so that they count once.
    attributes
        What else its record says.

    Returns
    -------
    bool
        False if it was closed already.
    """
    models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
    model = models.TrialModel.find_or_raise_by_id(trial_id, session, for_update=True)
    if model.state != TrialState.RUNNING:
        return False
    trial = storage._build_frozen_trial_from_trial_model(model)
    noted = {**(attributes or {}), "failure": reason[:1000]}
    rows.put_attributes(session, trial_id, noted if retry is None else {**noted, "retried": True})
    if retry is not None:
        storage._get_prepared_new_trial(study_id, _waiting(trial, retry), session)
        session.query(models.TrialSystemAttributeModel).filter(
            models.TrialSystemAttributeModel.trial_id == trial_id,
            models.TrialSystemAttributeModel.key.startswith(_RUNG, autoescape=True),
        ).delete(synchronize_session=False)
    model.state = TrialState.FAIL
    model.datetime_complete = datetime.now()  # noqa: DTZ005 - Optuna's setter wants local time
    return True


def _waiting(trial: FrozenTrial, attributes: Mapping[str, Any]) -> FrozenTrial:
    system = {name: v for name, v in trial.system_attrs.items() if name.startswith(_RUNG)}
    # Cut off before all were drawn, the rest is drawn again with the same seed.
    system["fixed_params"] = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    waiting = create_trial(
        state=TrialState.WAITING, system_attrs=system, user_attrs=dict(attributes)
    )
    waiting.intermediate_values = dict(trial.intermediate_values)
    return waiting


def copy_trial(session: Any, storage: RDBStorage, study_id: int, trial: FrozenTrial) -> None:
    """Put a trial of another study into this one, unless it has one of its number.

    Done again after a lost answer, this makes no second one.
    """
    models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
    there = session.query(models.TrialModel.trial_id).filter(
        models.TrialModel.study_id == study_id, models.TrialModel.number == trial.number
    )
    if there.first() is None:
        storage._get_prepared_new_trial(study_id, trial, session)


def seconds_by_its_clock(session: Any) -> float:
    """Give the time by the database's own clock, in seconds since the epoch."""
    now = _now(session)
    # SQLite's is UTC and does not say so.
    return float((now if now.tzinfo else now.replace(tzinfo=UTC)).timestamp())


def _now(session: Any) -> datetime:
    """Ask the database's clock."""
    now: datetime = session.execute(sqlalchemy.select(sqlalchemy.func.now())).scalar()
    return now


def put_study_attributes(
    session: Any,
    study_id: int,
    attributes: Mapping[str, Any],
    *,
    holds: Callable[[Mapping[str, Any]], bool],
) -> bool:
    """Write user attributes of a study, where `holds` says so of those that it has.

    Returns
    -------
    bool
        Whether they were written.

    Raises
    ------
    KeyError
        If there is no such study.
    """
    models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
    model = models.StudyUserAttributeModel
    there = session.query(model.key, model.value_json).filter(model.study_id == study_id)
    if not holds({key: json.loads(value) for key, value in there}):
        return False
    rows.put_study_attributes(session, study_id, attributes)
    return True


def replace_study_attributes(session: Any, study_id: int, attributes: Mapping[str, Any]) -> None:
    """Let a study have these user attributes and no others."""
    model = models.StudyUserAttributeModel
    session.query(model).filter(model.study_id == study_id).delete(synchronize_session=False)
    rows.put_study_attributes(session, study_id, attributes)


def beat(session: Any, trial_id: int) -> None:
    """Note that a trial's worker lives, where there is such a trial.

    The claim wrote the first beat. SQLite would take one for a trial that was deleted, and the
    next trial of its id could not be claimed.
    """
    model = models.TrialHeartbeatModel
    session.query(model).filter(model.trial_id == trial_id).update(
        {"heartbeat": sqlalchemy.func.now()}, synchronize_session=False
    )


def count_trials(session: Any, study_id: int, states: Sequence[TrialState]) -> int:
    """Count a study's trials in these states."""
    count = sqlalchemy.func.count(models.TrialModel.trial_id)
    found = session.query(count).filter(
        models.TrialModel.study_id == study_id, models.TrialModel.state.in_(states)
    )
    return int(found.scalar())


def beats(session: Any, study_id: int) -> list[Beat]:
    """Give the running trials, by number; the database's own clock tells the ages."""
    now = _now(session)
    running = (
        session.query(models.TrialModel)
        # One query for all, not two for each: every claim asks.
        .options(
            selectinload(models.TrialModel.user_attributes),
            selectinload(models.TrialModel.heartbeats),
        )
        .filter(models.TrialModel.study_id == study_id)
        .filter(models.TrialModel.state == TrialState.RUNNING)
        .order_by(models.TrialModel.number)
        .all()
    )
    found = []
    for trial in running:
        attributes = {a.key: json.loads(a.value_json) for a in trial.user_attributes}
        last = trial.heartbeats[0].heartbeat if trial.heartbeats else trial._datetime_start_utc
        age = 0.0 if last is None else (now.replace(tzinfo=None) - last).total_seconds()
        found.append(
            Beat(trial.trial_id, trial.number, attributes.get("owner"), max(0.0, age), attributes)
        )
    return found
