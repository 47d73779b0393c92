"""Rows written many at once and harmless twice; or later, with what is read next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy
from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._rdb import models
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["WaitingRows", "put_attributes", "put_study_attributes"]

_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_KEYS: Mapping[Any, tuple[str, str]] = {
    models.TrialParamModel: ("trial_id", "param_name"),
    models.TrialIntermediateValueModel: ("trial_id", "step"),
    models.TrialUserAttributeModel: ("trial_id", "key"),
    models.TrialSystemAttributeModel: ("trial_id", "key"),
    models.StudyUserAttributeModel: ("study_id", "key"),
}


def _put(session: Any, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in one statement; one that is there takes the new content."""
    keys = _KEYS[model]
    statement = _INSERT[session.get_bind().dialect.name](model.__table__)
    content = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=content), list(rows))


def put_attributes(session: Any, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Write user attributes of a trial that is known to run."""
    _put_attributes(session, models.TrialUserAttributeModel, trial_id, attributes)


def put_study_attributes(session: Any, study_id: int, attributes: Mapping[str, Any]) -> None:
    """Write user attributes of a study."""
    _put_attributes(session, models.StudyUserAttributeModel, study_id, attributes)


def _put_attributes(session: Any, model: Any, of: int, attributes: Mapping[str, Any]) -> None:
    identifier, key = _KEYS[model]
    rows = [
        {identifier: of, key: name, "value_json": json.dumps(value)}
        for name, value in attributes.items()
    ]
    if rows:
        _put(session, model, rows)


class WaitingRows:
    """What has been said about running trials and is not written yet.

    Its methods take the arguments of Optuna's storage and say whether the row waits here; else
    the caller writes it as it comes.
    """

    def __init__(self) -> None:
        self._rows: dict[Any, dict[tuple[Any, ...], dict[str, Any]]] = {}

    def __bool__(self) -> bool:
        """Say whether anything waits."""
        return bool(self._rows)

    def clear(self) -> None:
        """Forget what has been written."""
        self._rows.clear()

    def param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> bool:
        """Take a parameter whose distribution is known from an earlier trial."""
        if previous_distribution is None:
            return False  # Optuna compares it with what the database has
        check_distribution_compatibility(previous_distribution, distribution)
        self._take(
            models.TrialParamModel,
            trial_id=trial_id,
            param_name=param_name,
            param_value=param_value_internal,
            distribution_json=distribution_to_json(distribution),
        )
        return True

    def value(self, trial_id: int, step: int, intermediate_value: float) -> bool:
        """Take an intermediate value."""
        model = models.TrialIntermediateValueModel
        stored, kind = model.intermediate_value_to_stored_repr(intermediate_value)
        self._take(
            model,
            trial_id=trial_id,
            step=step,
            intermediate_value=stored,
            intermediate_value_type=kind,
        )
        return True

    def system_attribute(self, trial_id: int, key: str, value: Any) -> bool:
        """Take what a pruner notes."""
        self._take(
            models.TrialSystemAttributeModel,
            trial_id=trial_id,
            key=key,
            value_json=json.dumps(value),
        )
        return True

    def _take(self, model: Any, **row: Any) -> None:
        key = tuple(row[name] for name in _KEYS[model])
        self._rows.setdefault(model, {})[key] = row

    def write(self, session: Any) -> None:
        """Write all of it.

        Raises
        ------
        KeyError
            If a trial is not there.
        UpdateFinishedTrialError
            If a trial is finished.
        """
        for trial_id in sorted({key[0] for rows in self._rows.values() for key in rows}):
            _check_unfinished(session, trial_id)
        for model, rows in self._rows.items():
            _put(session, model, list(rows.values()))


def _check_unfinished(session: Any, trial_id: int) -> None:
    model = models.TrialModel
    asked = sqlalchemy.select(model.number, model.state).where(model.trial_id == trial_id)
    found = session.execute(asked).one_or_none()
    if found is None:
        raise KeyError(models.NOT_FOUND_MSG)
    if found.state.is_finished():
        raise UpdateFinishedTrialError(f"trial {found.number} is finished already")
